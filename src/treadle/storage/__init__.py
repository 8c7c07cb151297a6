"""Three doors to disk: SQL metadata, objects by digest, and the append-only event log."""
