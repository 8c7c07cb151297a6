"""Objects that only who has the key can read."""
