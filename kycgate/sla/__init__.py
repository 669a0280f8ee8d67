"""Is the word kept: objectives, their evidence and verdicts, from recorded runs alone."""
