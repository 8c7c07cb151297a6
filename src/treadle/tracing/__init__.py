"""Traces: what a program did in one call, step by step, and what is said about it."""
