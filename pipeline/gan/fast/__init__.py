"""Quicker ways to compute what PyTorch computes, equal up to rounding, and the switch between both."""
