"""Places that homes share versions through."""
