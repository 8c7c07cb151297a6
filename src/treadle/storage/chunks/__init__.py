"""Bytes cut where their content says, each piece kept once, many pieces to one object."""
