"""One self-contained page about what was trained, and rows that sum it up."""

from jaxorder.report.page import write_report
from jaxorder.report.summary import PairRow, SummaryRow, pairs, summary

__all__ = ["PairRow", "SummaryRow", "pairs", "summary", "write_report"]
