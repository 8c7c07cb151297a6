"""The inference door: Open Inference Protocol V2 over HTTP, in a process of its own."""
