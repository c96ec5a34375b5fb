"""The report as one HTML file that opens offline, on a phone and in greyscale."""

from rlsyn_env.metrics.html_report.page import write_html

__all__ = ["write_html"]
