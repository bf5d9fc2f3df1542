"""Fast sequential models: item ids in, item scores out."""
