"""Run folders, the cache, and where a run comes from."""
