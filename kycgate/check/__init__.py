"""The contract tests at work."""
