"""Measurements that are kept as data, and the commands that repeat them."""
