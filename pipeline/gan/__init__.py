"""Networks as data and what the literature says of them; builder, losses, updates, the training loop, checkpoints."""
