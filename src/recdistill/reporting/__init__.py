"""Comparisons, diagnoses, pages and plots."""
