"""Side by side with what people would use instead; README.md holds what was seen."""
