"""The tracking server: programs to run, keep and move it. ``python -m tracking --help``."""
