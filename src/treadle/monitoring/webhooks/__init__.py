"""Webhooks: what happens in the registry, told to addresses an administrator allowed."""
