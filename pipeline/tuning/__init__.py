"""Searching runs with Optuna: which are possible, who tries which, and what the trials say."""
