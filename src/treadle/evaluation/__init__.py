"""Evaluation datasets: examples that answers of a model are judged by."""
