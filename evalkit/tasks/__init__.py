"""A name becomes a folder, a task, samples and prompts."""
