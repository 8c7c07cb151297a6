"""How to save, load and ask each kind of model."""
