"""A run as one HTML page: what it found, what it learned, where it looked and what went wrong."""

from latentopt.report.page import write_report

__all__ = ["write_report"]
