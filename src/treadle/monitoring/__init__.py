"""Watch quality, drift and labels of what is served, and alert by effect."""
