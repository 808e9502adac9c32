"""Choosing what to hear, recording a sentence on the phone, and the recordings themselves."""

import re
from contextlib import closing

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    url_for,
)
from markupsafe import Markup

from nongso.platform.accounts import allow, somebody
from nongso.platform.languages import Said, _
from nongso.platform.settings import Settings
from nongso.platform.voices.kept import LANGUAGES, MOST_BYTES, TYPES, BadSound, Voices
from nongso.platform.voices.texts import key_of, sentences
from nongso.platform.wholefile import NotKept

blueprint = Blueprint("voices", __name__, url_prefix="/voices")

COOKIE = "nongso_voice"
HEARERS = ("farmer", "clerk", "helper", "officer", "admin")
RECORDERS = ("clerk", "admin")
YEAR_SECONDS = 365 * 86400
ON_A_PAGE = 40  # forms for all sentences at once are too much for an old phone

Answer = str | Response | tuple[str, int]


def prepare(app: Flask) -> None:
    """Give templates ``voice(sentence)``."""
    settings: Settings = app.extensions["nongso.settings"]
    app.extensions["nongso.voices"] = Voices(settings.folder)
    app.jinja_env.globals["voice"] = voice


def chosen() -> str:
    """Return the language to hear, empty where nothing is to be heard."""
    wish = request.cookies.get(COOKIE, "")
    return wish if wish in LANGUAGES else ""


def hearing() -> tuple[str, int]:
    """Return what pieces of pages that are kept depend on."""
    language = chosen()
    return language, _voices().version if language else 0


def voice(sentence: str) -> Markup:
    """Return the player of a sentence's recording; nothing where there is none."""
    language = chosen()
    if not language or not isinstance(sentence, Said):
        return Markup()
    key = key_of(sentence.source)
    if _voices().find(_owner(), language, key) is None:
        return Markup()
    return Markup('<audio controls preload="none" src="{}" aria-label="{}"></audio>').format(
        url_for("voices.sound", language=language, key=key), _("Nghe")
    )


def language_word(language: str) -> str:
    """Return a language's own name in the list."""
    return {
        "vi": _("Tiếng Việt"),
        "hmn": _("Tiếng Mông"),
        "twh": _("Tiếng Thái (Tai Dón)"),
        "blt": _("Tiếng Thái (Tai Dam)"),
    }[language]


@blueprint.get("/")
@allow(*HEARERS)
def choose() -> Answer:
    """Ask which language is to be heard on this phone."""
    return render_template(
        "voices/choose.html",
        languages_heard=[(one, language_word(one), len(_known(one))) for one in LANGUAGES],
        chosen=chosen(),
        total=len(sentences()),
    )


@blueprint.post("/")
@allow(*HEARERS, scope="read")
def take_choice() -> Answer:
    """Remember it on this phone."""
    wish = request.form.get("language", "")
    if wish and wish not in LANGUAGES:
        abort(400)
    answer = redirect(url_for("greenhouse.home"), 303)
    answer.set_cookie(
        COOKIE,
        wish,
        max_age=YEAR_SECONDS if wish else 0,
        httponly=True,
        samesite="Lax",
        secure=current_app.extensions["nongso.secure_cookies"],
    )
    return answer  # type: ignore[return-value]


@blueprint.get("/record/<any(vi, hmn, twh, blt):language>")
@allow(*RECORDERS)
def book(language: str) -> Answer:
    """The sentences, with what is recorded and how to record the next one."""
    page = request.args.get("page", 0, int)
    if not 0 <= page <= (len(sentences()) - 1) // ON_A_PAGE:
        abort(404)
    return _book(language, page)


@blueprint.post("/record/<any(vi, hmn, twh, blt):language>/<key>")
@allow(*RECORDERS)
def record(language: str, key: str) -> Answer:
    """Take a recording of a sentence, or drop it."""
    if key not in sentences():
        abort(404)
    if request.form.get("do") == "drop":
        _voices().drop(_owner(), language, key)
        return _back(language, key)
    sent = request.files.get("sound")
    data = b""
    if sent is not None:
        with closing(sent):
            data = sent.stream.read(MOST_BYTES + 1)
    try:
        _voices().keep(_owner(), language, key, data)
    except NotKept:
        trouble = _("Máy chủ không giữ được bản ghi. Xin báo người phụ trách máy.")
        return _book(language, _page_of(key), {key: trouble}), 422
    except BadSound as error:
        trouble = {
            "huge": _("Đoạn ghi này dài quá. Xin ghi lại ngắn hơn nửa phút."),
            "unknown": _("Không nghe được tệp này. Xin ghi âm bằng điện thoại rồi chọn lại."),
        }[error.code]
        return _book(language, _page_of(key), {key: trouble}), 422
    return _back(language, key)


@blueprint.get("/<any(vi, hmn, twh, blt):language>/<key>")
@allow(*HEARERS)
def sound(language: str, key: str) -> Response:
    """A recording."""
    file = _voices().find(_owner(), language, key) if re.fullmatch("[0-9a-f]{16}", key) else None
    if file is None:
        abort(404)
    answer = Response(file.read_bytes(), mimetype=TYPES[file.suffix[1:]])
    answer.headers["Cache-Control"] = "private, max-age=86400"
    answer.headers["Accept-Ranges"] = "none"
    answer.make_conditional(request)
    return answer


def _book(language: str, page: int, troubles: dict[str, str] | None = None) -> str:
    known, all_ = _known(language), list(sentences().items())
    begins = range(0, len(all_), ON_A_PAGE)
    return render_template(
        "voices/record.html",
        code=language,
        name=language_word(language),
        sentences=[
            (key, _blanks(text), key in known)
            for key, text in all_[begins[page] : begins[page] + ON_A_PAGE]
        ],
        total=len(all_),
        page=page,
        parts=[(begin + 1, min(begin + ON_A_PAGE, len(all_))) for begin in begins],
        troubles=troubles or {},
        done=len(known),
    )


def _page_of(key: str) -> int:
    return list(sentences()).index(key) // ON_A_PAGE


def _blanks(text: str) -> str:
    """Show a sentence with gaps where numbers and names stand."""
    return re.sub(r"%\(\w+\)s", "…", text).replace("%%", "%")


def _known(language: str) -> set[str]:
    return _voices().known(_owner(), language) & set(sentences())


def _back(language: str, key: str) -> Response:
    page = url_for("voices.book", language=language, page=_page_of(key))
    return redirect(f"{page}#s-{key}", 303)  # type: ignore[return-value]


def _owner() -> str:
    """Whose recordings: each cooperative has its own; an administrator records for everybody."""
    return somebody().cooperative or ""


def _voices() -> Voices:
    found: Voices = current_app.extensions["nongso.voices"]
    return found
