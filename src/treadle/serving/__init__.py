"""Endpoints and their traffic, the request log, labels, and the runtime that answers."""
