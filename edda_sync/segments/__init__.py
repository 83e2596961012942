"""Segments: sealed, checksummed streams of entity states at a frontier. For snapshots; later also for backups."""
