"""What people type beside the stages: dcgan sample, walk, compare, promote, new, dashboard."""
