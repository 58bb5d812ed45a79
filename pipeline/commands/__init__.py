"""What people type beside the stages: dcgan demo, sample, walk, compare, promote, new, dashboard."""
