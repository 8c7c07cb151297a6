"""Versions of DVC's repositories, brought in and written."""
