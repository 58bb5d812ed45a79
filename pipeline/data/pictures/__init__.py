"""Archives of any pictures as a data set: their members, splits and classes, and how they are decoded."""
