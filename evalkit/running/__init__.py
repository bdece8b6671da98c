"""What was asked becomes a plan, an estimate, calls, scores and a run folder."""
