"""What to tell the reader: a recorded run as HTML, JUnit, Markdown and a terminal table."""

from kycgate.reports.write import write_all

__all__ = ["write_all"]
