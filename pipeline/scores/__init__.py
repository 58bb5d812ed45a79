"""One small file per score: features -> statistics -> number."""
