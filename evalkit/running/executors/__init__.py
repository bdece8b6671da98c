"""Where the work of a run happens. `local` is this process; other executors offer the same `run`."""
