"""The verbs on a dataset's history: branches, tags, log, merge, removal."""
