"""Walk a candidate from shadow over canary to live, or back; decide when to retrain."""
