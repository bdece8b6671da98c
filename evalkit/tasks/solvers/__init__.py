"""Ways to work a sample that take more than one call."""
