"""The flights project: a year of real flights through the whole life of a model."""
