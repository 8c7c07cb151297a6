"""Blobs by key, for what many homes share: in a folder, a bucket, or read from a web server."""
