"""From a run to what people read: pictures, one HTML file, and a few sentences."""

from twin.report.page import write_report
from twin.report.pictures import write_pictures
from twin.report.summary import summarise

__all__ = ["summarise", "write_pictures", "write_report"]
