"""The pages of moving, testing and recalling: importing this module puts them on the blueprint."""

from nongso.platform.traceability.moving import holder_pages as holders_pages
from nongso.platform.traceability.moving import pages as moving_pages
from nongso.platform.traceability.recall import pages as recall_pages
from nongso.platform.traceability.recall import rehearsal_pages as recall_rehearsal_pages
from nongso.platform.traceability.testing import pages as testing_pages
from nongso.platform.traceability.tracing import pages as trace_pages

__all__ = [
    "holders_pages",
    "moving_pages",
    "recall_pages",
    "recall_rehearsal_pages",
    "testing_pages",
    "trace_pages",
]
