"""What a view wants done when its answer is on its way: counting a scan, keeping a copy.

Nobody waits for it, and nothing that goes wrong with it is told to the one who asked. It runs
once, outside the request: it is given everything that it needs, and opens its own session.
Not here: work that must not be lost when the server ends at this moment.
"""

import logging
from collections.abc import Callable

from flask import Response, after_this_request, request

log = logging.getLogger(__name__)

MARK = "nongso.afterwards"  # a list in the request's environment, where our server answers


def afterwards(deed: Callable[[], object]) -> None:
    """Do this when the answer of this request has gone out; elsewhere, when it is made."""
    waiting: list[Callable[[], object]] | None = request.environ.get(MARK)
    if waiting is not None:
        waiting.append(deed)
        return

    @after_this_request
    def when_made(answer: Response) -> Response:
        do(deed)
        return answer


def do(deed: Callable[[], object]) -> None:
    """Do it; what goes wrong is written down and goes no further."""
    try:
        deed()
    except Exception:
        log.exception("what was to be done after an answer failed")
