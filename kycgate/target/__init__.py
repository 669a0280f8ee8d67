"""One request and its one answer, redacted as it is recorded."""
