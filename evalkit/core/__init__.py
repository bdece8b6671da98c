"""What every room stands on: records, errors, version, text and languages, the project, its environment."""
