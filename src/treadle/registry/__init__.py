"""Registered models: signed versions with signatures, aliases, and the way to load them again."""
