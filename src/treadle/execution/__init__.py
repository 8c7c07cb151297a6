"""Runs work somewhere and knows what became of it: a queue with leases, workers, executors."""
