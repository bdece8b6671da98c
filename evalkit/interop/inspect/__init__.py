"""Logs of Inspect AI, read and written."""
