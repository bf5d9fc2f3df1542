"""Distil LLM recommenders into fast sequential ones, and prove whether it helped."""

__version__ = "0.2.0"
