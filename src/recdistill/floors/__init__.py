"""The cheap models every neural claim must beat."""
