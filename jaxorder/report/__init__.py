"""One self-contained page about what was trained, and a document of its numbers."""

from jaxorder.report.page import report, write_report

__all__ = ["report", "write_report"]
