"""A gate as people and other programs read it."""
