"""Pure functions from columns to numbers: profiles, drift, performance, comparisons, effects."""
