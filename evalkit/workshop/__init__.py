"""What helps an author of tasks: check, preview, doctor, scaffold, starter, pytest plugin."""
