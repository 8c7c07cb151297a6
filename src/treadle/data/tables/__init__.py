"""Versions that are tables: how rows become parts, and the one way to read them."""
