"""A comparison as people read it."""
