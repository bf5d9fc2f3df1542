"""Loss terms, sample selection, the distilling module."""
