"""The pages of moving, testing and recalling: importing this module puts them on the blueprint."""

from nongso.platform.traceability import (
    holders_pages,
    moving_pages,
    recall_pages,
    recall_rehearsal_pages,
    testing_pages,
    trace_pages,
)

__all__ = [
    "holders_pages",
    "moving_pages",
    "recall_pages",
    "recall_rehearsal_pages",
    "testing_pages",
    "trace_pages",
]
