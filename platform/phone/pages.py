"""The manifest, its pictures, the service worker, and the pages shown without network."""

import functools
import hashlib
import io
from pathlib import Path

from flask import Blueprint, Response, abort, current_app, jsonify, render_template, request
from flask_babel import force_locale  # type: ignore[import-untyped]  # has none
from markupsafe import escape
from PIL import Image, ImageDraw

from nongso.platform.accounts import public, public_without_cookies
from nongso.platform.languages import LANGUAGES, _, age_words, language

blueprint = Blueprint("phone", __name__)

# What happens to a press that finds no network, and to a page that is not kept.
OUTCOMES = ("water", "stop", "mode", "unsure", "maybe", "other", "page", "line", "bind")
KEPT = (
    "nongso.css",
    "diary.css",
    "live.js",
    "phone.js",
    "days.js",
    "diary.js",
    "bind.js",
)
WORKER_PARTS = ("push-part.js", "phone.js")  # messages of alerts; the phone's own store
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
    said = {}
    for code in LANGUAGES:
        with force_locale(code):
            said[code] = {
                "frame": _frame("{title}", "{sentence}", "{back}"),
                "back": _button(_("Về nhật ký này")),
                "again": _button(_("Mở lại trang vừa bấm")),
                "ages": age_words(),
            } | {what: [str(escape(word)) for word in _words(what)] for what in OUTCOMES}
    parts = [asset(name) for name in WORKER_PARTS]  # type: ignore[operator]
    text = render_template("phone/sw.js", files=files, parts=parts, said=said, version=_version())
    answer = Response(text, mimetype="text/javascript")
    answer.headers["Cache-Control"] = "no-cache"  # asked for at each visit, and unchanged mostly
    answer.set_etag(hashlib.sha256(text.encode()).hexdigest()[:16])
    return answer.make_conditional(request)  # type: ignore[return-value]


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
    """The page that the phone shows where no answer came; without ages or names.

    The phone has it from its service worker; here it is to be looked at.
    """
    if what not in OUTCOMES:
        abort(404)
    return _frame(*_words(what))


def _frame(title: str, sentence: str, back: str = "") -> str:
    return render_template("phone/offline.html", title=title, sentence=sentence, back=back)


def _button(words: str) -> str:
    return f'<a class="button" href="{{page}}">{escape(words)}</a> '


def _words(what: str) -> tuple[str, str]:
    """Return title and sentence of what happened."""
    sentences = {
        "water": _(
            "Điện thoại không có mạng nên chưa tưới. Lệnh này không được giữ lại; khi có mạng, "
            "xin bấm lại."
        ),
        "stop": _(
            "Điện thoại không có mạng nên chưa gửi được lệnh dừng. Nước đang chảy vẫn tự tắt "
            "đúng giờ. Cần tắt ngay thì xin ra khóa van."
        ),
        "mode": _("Điện thoại không có mạng nên chưa đổi. Khi có mạng, xin bấm lại."),
        "unsure": _(
            "Mạng bị ngắt lúc đang gửi nên chưa biết lệnh đã đến chưa. Khi có mạng, xin mở lại "
            "trang nhà màng để xem. Cần tắt nước ngay thì xin ra khóa van."
        ),
        "maybe": _(
            "Mạng bị ngắt lúc đang gửi nên chưa biết đã gửi được chưa. Khi có mạng, xin mở lại "
            "trang để xem."
        ),
        "line": _("Không có mạng. Dòng nhật ký được giữ trong điện thoại và tự gửi khi có mạng."),
        "bind": _(
            "Không có mạng. Lần gắn tem này được giữ trong điện thoại và tự gửi khi có mạng."
        ),
        "page": _(
            "Không có mạng và trang này chưa được lưu trong điện thoại. Khi có mạng, xin mở lại."
        ),
        "other": _("Không có mạng nên chưa gửi được. Khi có mạng, xin làm lại."),
    }
    return _("Chưa gửi") if what in ("line", "bind") else _("Không có mạng"), sentences[what]
