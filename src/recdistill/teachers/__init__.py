"""LLM recommenders and the table of what they know."""
