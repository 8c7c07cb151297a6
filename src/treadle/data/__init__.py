"""Datasets: immutable versions, contracts, validation, quarantine."""
