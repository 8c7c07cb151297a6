"""Names that point at versions, and how versions descend from each other."""
