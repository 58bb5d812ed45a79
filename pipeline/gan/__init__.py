"""Layers, networks as data, the two losses, the training loop, checkpoints, devices and precision."""
