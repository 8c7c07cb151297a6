"""Gates, evidence, lineage, time travel, audit and reports."""
