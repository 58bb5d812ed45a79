"""What a data set is, where it comes from, and how its pixels go in and out."""
