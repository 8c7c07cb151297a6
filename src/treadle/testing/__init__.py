"""Contract suites: subclass one to test your own implementation of a seam."""
