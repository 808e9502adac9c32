"""The manifest, its pictures, the service worker, and the pages shown without network."""

import functools
import hashlib
import io
from pathlib import Path

from flask import Blueprint, Response, abort, current_app, jsonify, render_template, request
from PIL import Image, ImageDraw

from nongso.platform.accounts import public, public_without_cookies
from nongso.platform.languages import _, language

blueprint = Blueprint("phone", __name__)

# What happens to a press that finds no network; each has its own page, fetched beforehand.
OUTCOMES = ("water", "stop", "mode", "unsure", "maybe", "other", "page", "line")
KEPT = ("nongso.css", "diary.css", "live.js", "phone.js", "days.js", "diary.js")
SIZES = (192, 512)
GREEN, PAPER = (29, 107, 58), (251, 250, 246)
LEAF = [
    (0.22, 0.80),
    (0.24, 0.42),
    (0.45, 0.24),
    (0.80, 0.20),
    (0.79, 0.55),
    (0.62, 0.76),
    (0.38, 0.78),
]


@blueprint.get("/manifest.webmanifest")
@public
def manifest() -> Response:
    """Say how the pages look as an application on the phone."""
    answer = jsonify(
        {
            "id": "/greenhouses",
            "name": _("Nông số: nhà màng của tôi"),
            "short_name": _("Nông số"),
            "lang": language(),
            "start_url": "/greenhouses",
            "scope": "/",
            "display": "standalone",
            "background_color": "#fbfaf6",
            "theme_color": "#1d6b3a",
            "icons": [
                {
                    "src": f"/icon-{size}.png",
                    "sizes": f"{size}x{size}",
                    "type": "image/png",
                    "purpose": "any maskable",
                }
                for size in SIZES
            ],
        }
    )
    answer.mimetype = "application/manifest+json"
    answer.headers["Cache-Control"] = "private, max-age=86400"
    return answer


@blueprint.get("/icon-<int:size>.png")
@public_without_cookies
def icon(size: int) -> Response:
    """The leaf as a picture, drawn here because no picture file is kept in the source."""
    if size not in SIZES:
        abort(404)
    answer = Response(_icon(size), mimetype="image/png")
    answer.headers["Cache-Control"] = "public, max-age=2592000"
    return answer


@functools.cache
def _icon(size: int) -> bytes:
    large = size * 4  # drawn large and made small, so that edges are soft
    picture = Image.new("RGB", (large, large), GREEN)
    draw = ImageDraw.Draw(picture)
    draw.polygon([(x * large, y * large) for x, y in LEAF], fill=PAPER)
    vein = [(0.22, 0.84), (0.36, 0.62), (0.64, 0.38)]
    draw.line([(x * large, y * large) for x, y in vein], fill=GREEN, width=large // 28)
    out = io.BytesIO()
    picture.resize((size, size), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


@blueprint.get("/sw.js")
@public_without_cookies
def service_worker() -> Response:
    """The service worker, with the addresses of this version's files."""
    asset = current_app.jinja_env.globals["asset"]
    files = [asset(name) for name in KEPT]  # type: ignore[operator]
    text = render_template("phone/sw.js", files=files, outcomes=OUTCOMES, version=_version())
    answer = Response(text, mimetype="text/javascript")
    answer.headers["Cache-Control"] = "no-cache"
    return answer


def _version() -> str:
    """Return what changes with our files, so that phones fetch them anew."""
    return _digest(Path(__file__).parents[1])


@functools.cache
def _digest(platform: Path) -> str:
    sum_ = hashlib.sha256()
    for folder in ("static", "templates", "translations"):
        for file in sorted((platform / folder).rglob("*")):
            if file.is_file():
                sum_.update(file.read_bytes())
    return sum_.hexdigest()[:12]


@blueprint.get("/offline/<what>")
@public
def offline(what: str) -> str:
    """The page that the phone shows where no answer came; without ages or names."""
    if what not in OUTCOMES:
        abort(404)
    back = request.args.get("back", "")
    return render_template("phone/offline.html", what=what, back=back)
