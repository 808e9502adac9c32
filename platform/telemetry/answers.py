"""What a page or a program is told while the store of readings is away: 503 and a sentence."""

import logging

from flask import Response, render_template, request

from nongso.platform.errors import problem, wants_problem
from nongso.platform.languages import _
from nongso.platform.telemetry.interface import TelemetryAway, TelemetryDamaged

log = logging.getLogger(__name__)

RETRY_SECONDS = 5


def answer_away(error: TelemetryAway) -> Response:
    """Answer 503: people learn that nothing is lost on the farm, programs when to come again."""
    if not isinstance(error, TelemetryDamaged):  # that was logged once, when it was found
        log.error("%s %s: %s", request.method, request.path, error)
    if wants_problem():
        made = problem(503, "readings_away", str(error))
    else:
        page = render_template(
            "error.html",
            title=_("Chưa xem được số đo"),
            advice=_(
                "Kho số đo trên máy chủ đang gặp trục trặc. Việc tưới ở nhà màng không bị ảnh "
                "hưởng. Số đo mới được giữ ở tủ điều khiển và sẽ gửi bù. Xin thử lại sau ít phút; "
                "nếu vẫn vậy, xin báo hợp tác xã."
            ),
            status=503,
            may_stop=True,
        )
        made = Response(page, 503, content_type="text/html; charset=utf-8")
    made.headers["Retry-After"] = str(RETRY_SECONDS)
    return made
