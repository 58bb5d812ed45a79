"""What people type beside the stages: dcgan demo, sample, walk, explore, compare, promote, new, dashboard."""
