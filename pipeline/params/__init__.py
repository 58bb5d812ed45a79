"""params.yaml of a study: its sections as frozen dataclasses with their defaults, and how it is read and checked."""
