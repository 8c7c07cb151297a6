"""What changed between two tables, row by row, and what becomes of two changes of one table."""
