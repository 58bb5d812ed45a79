"""The only door to MLflow, and generators in it. Nothing here can change an output of a stage."""
