"""Local-first storage and sync."""
