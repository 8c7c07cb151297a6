"""What requests made of an endpoint's contract: counts by claim, and some examples."""
