"""Ranks -> metrics, protocols, significance."""
