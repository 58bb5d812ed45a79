"""What the report says, from other stages' files: results and what may be said of them, tables, captions, plots."""
