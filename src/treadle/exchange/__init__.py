"""What other tools have kept, brought in; what we keep, written for them. See README.md."""
