"""What rows come from: files of each kind and frames, read some rows at a time."""
