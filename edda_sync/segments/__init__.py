"""Segments: sealed, checksummed runs of entity states at a frontier. Snapshots today; backups and bundles in time."""
