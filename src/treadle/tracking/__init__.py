"""Experiments and their runs: params, metrics, tags, inputs and artifacts of every execution."""
