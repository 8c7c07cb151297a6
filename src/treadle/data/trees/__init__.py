"""Dataset versions that are files and folders."""
