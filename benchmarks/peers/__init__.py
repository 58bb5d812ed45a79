"""What people would use instead: the same networks in the frameworks' own words."""
