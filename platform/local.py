"""A small platform on the farm's own box: what it shows, and what stays with the cooperative's.

When the Internet is down the farmer's phone reaches this one over the farm's Wi-Fi, to look, to
water and to stop. The gateway tells it everything that it tells the cooperative's platform. What
people write down (diary, records, labels, limits of alerts) would stay on the box and be missed
where it belongs, so those pages are not here and say where they are. People and their log-ins
are the box's own: enrolled here, by the same printed codes.

Whatever is not named below is absent, so that a new room is not here until somebody decides so.
"""

from flask import Flask, Response, current_app, redirect, render_template, request

from nongso.platform.errors import problem, wants_problem
from nongso.platform.languages import _
from nongso.platform.settings import Settings

# Rooms by the name of their blueprint, whole …
ROOMS = frozenset(
    (
        "accounts",
        "greenhouse",
        "greenhouse_api",
        "health",
        "members",
        "openapi",
        "phone",
        "plants",
        "stations",
        "uplink",
        "water_sources",
        "ways",
        "wet_test",
        "wellknown",
    )
)
# … and single pages.
PAGES = frozenset(("alerts.home", "alerts.one", "alerts_api.alerts", "front", "static"))
FRONT = "/greenhouses"


def is_here(endpoint: str) -> bool:
    """Say whether this platform has a page; the cooperative's has all."""
    settings: Settings = current_app.extensions["nongso.settings"]
    return not settings.local or endpoint in PAGES or endpoint.partition(".")[0] in ROOMS


def install(app: Flask, settings: Settings) -> None:
    """Let templates ask, and where this is the farm's own platform, close what is not here."""
    app.jinja_env.globals["is_here"] = is_here
    app.jinja_env.globals["is_local"] = settings.local
    if settings.local:
        app.before_request(_refuse)


def _refuse() -> Response | None:
    if request.endpoint is None or is_here(request.endpoint):
        return None
    if request.path == "/":
        return redirect(FRONT, 303)  # type: ignore[return-value]
    title = _("Trang này chỉ có ở máy chủ của hợp tác xã")
    advice = _(
        "Ở nông trại xem được số đo và cảnh báo, tưới và dừng tưới. "
        "Khi có mạng Internet, xin mở trang của hợp tác xã để làm việc này."
    )
    if wants_problem():
        return problem(404, "only_at_cooperative", f"{title}. {advice}")
    page = render_template("error.html", title=title, advice=advice, status=404)
    return Response(page, 404, content_type="text/html; charset=utf-8")
