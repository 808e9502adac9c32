"""Words, numbers, dates and times as people here write them: the door to Flask-Babel.

The sources are Vietnamese; other languages are catalogues ``translations/<language>/<room>.po``,
compiled in memory at start, because compiled files are not kept in the repository. The rules
of writing: decimal comma and thousands dot (24,5 · 1.250); no space before % and °C, a no-break
space before other units; day first; Asia/Ho_Chi_Minh.

A sentence is one whole string, never joined from fragments:
``_("Đang tưới %(zone)s, đã chảy %(water)s.", zone=name, water=quantity(58, "l"))``.
A ``%`` that is meant as such is written ``%%`` where the string has placeholders.
"""

import datetime
import functools
import io
import math
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from flask import Flask, Response, current_app, redirect, request
from flask_babel import Babel, Domain, get_locale  # type: ignore[import-untyped]  # has none
from flask_babel import lazy_gettext as later
from markupsafe import Markup

from nongso.platform.accounts import rule_of

LANGUAGES = {"vi": "Tiếng Việt", "en": "English"}
COOKIE = "nongso_language"
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NO_BREAK = "\u00a0"
_COUNT = "{n}"  # in the words of an age, also where a phone fills them in
_NOISE = 1e-6  # of a float that is meant as a whole number
# Read once: Flask-Babel would otherwise look for the files of a locale with each request.
_LOCALES = {language: Locale.parse(language) for language in LANGUAGES}

__all__ = [
    "LANGUAGES",
    "ZONE",
    "Said",
    "_",
    "age",
    "clock",
    "date",
    "day_of",
    "duration",
    "exactly",
    "language",
    "later",
    "moment",
    "number",
    "quantity",
]


class Said(str):
    """A sentence that was said; ``source`` is the sentence before its values were filled in."""

    __slots__ = ("source",)
    source: str


def _(text: str, /, **values: object) -> str:
    """Say a sentence in the language of the answer, with its values filled in."""
    found = _load(language()).gettext(text)
    said = Said(found % values if values else found)
    said.source = text
    return said


class _Catalogues(Domain):  # type: ignore[misc]
    """Flask-Babel's catalogues, from the ``.po`` files of every room."""

    def get_translations(self) -> Translations:
        return _load(language())


@functools.cache
def _load(language: str) -> Translations:
    folder = Path(__file__).parent / "translations" / language
    translations = Translations()
    translations.plural = lambda n: int(n != 1)
    for file in sorted(folder.glob("*.po")):
        with file.open("rb") as source:
            catalogue = read_po(source, locale=folder.name, abort_invalid=True)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        translations.merge(Translations(compiled))
    return translations


def install(app: Flask, secure: bool) -> None:
    """Make the languages known to the application and its templates."""
    babel = Babel()
    babel.init_app(
        app,
        default_locale="vi",
        default_timezone="Asia/Ho_Chi_Minh",
        locale_selector=_chosen,
    )
    babel.domain_instance = _Catalogues()
    app.before_request(_switch)
    app.extensions["nongso.secure_cookies"] = secure
    app.jinja_env.globals.update(
        language=language,
        languages=LANGUAGES,
        number=number,
        exactly=exactly,
        quantity=quantity,
        date=date,
        clock=clock,
        moment=moment,
        dated=dated,
        age=marked_age,
        duration=duration,
    )


def language() -> str:
    """Return the language of this answer, ``vi`` where nobody asks."""
    found = get_locale()  # kept for the request by Flask-Babel
    return found.language if found is not None and found.language in LANGUAGES else "vi"


def _chosen() -> Locale:
    wish = request.args.get("lang") if request.query_string else None
    wish = wish or request.cookies.get(COOKIE, "")
    if not wish and request.path.startswith("/api/") and request.accept_languages:
        # Programs say what they want; many phones here are set to English by the shop.
        wish = request.accept_languages.best_match(list(LANGUAGES)) or "vi"
    return _LOCALES.get(wish) or _LOCALES["vi"]


def _switch() -> Response | None:
    """Answer ``?lang=en`` with the same page in that language, from now on.

    Pages without cookies (the consumer page) only read it.
    """
    if not request.query_string:
        return None
    wish = request.args.get("lang")
    rule = rule_of(current_app, request.endpoint)
    if (
        request.method != "GET"
        or wish not in LANGUAGES
        or rule is None
        or not rule.sets_cookies
        or request.path.startswith("/api/")
    ):
        return None
    query = urlencode([(k, v) for k, v in request.args.items(multi=True) if k != "lang"])
    answer = redirect(request.path + ("?" + query if query else ""), 303)
    answer.set_cookie(
        COOKIE,
        wish,
        max_age=365 * 86400,
        httponly=True,
        samesite="Lax",
        secure=current_app.extensions["nongso.secure_cookies"],
    )
    return answer  # type: ignore[return-value]


def number(value: float, decimals: int = 0) -> str:
    """Write a number: 24,5 and 1.250 in Vietnamese, 24.5 and 1,250 in English."""
    text = f"{value:,.{decimals}f}"
    if text.lstrip("-0.,") == "":
        text = text.lstrip("-")  # no minus zero
    if language() == "vi":
        text = text.translate({ord(","): ".", ord("."): ","})
    return text.replace("-", "\u2212") if text.startswith("-") else text


def exactly(value: float, unit: str = "") -> str:
    """Write a number as somebody else stated it: 1.170 kg, 0,045 kg, 1e+300."""
    if value and not 0.000_5 <= abs(value) < 1e15:
        text = f"{value:.3g}".replace(".", "," if language() == "vi" else ".")
    else:
        text = number(value, next(n for n in range(4) if n == 3 or value == round(value, n)))
    return f"{text}{NO_BREAK}{unit}" if unit else text


def quantity(value: float, unit: str, decimals: int = 0) -> str:
    """Write a quantity with its unit: 24,5°C · 62% · 58 lít · 0,5 kg.

    Whole percents are never rounded up: 39.6 is 39%, on every page, because soil that is drier
    than the 40% at which water comes must not read as moist enough.
    """
    if unit == "%" and decimals == 0:
        value = math.floor(value + _NOISE)
    text = number(value, decimals)
    if not unit:
        return text
    if unit in ("%", "°C"):
        return text + unit
    return text + NO_BREAK + unit_word(unit)


def unit_word(unit: str) -> str:
    """Return the unit as it is said: ``l`` is lít, ``l/min`` is lít mỗi phút."""
    if unit == "l":
        return _("lít")
    if unit == "l/min":
        return _("lít mỗi phút")
    return unit


def local(at: float) -> datetime.datetime:
    """Return the moment in the zone of the farm."""
    return datetime.datetime.fromtimestamp(at, ZONE)


def day_of(at: float) -> datetime.date:
    """Return the farm's calendar day of a moment."""
    return local(at).date()


def date(at: float | datetime.date) -> str:
    """Write a date: 21/11/2026."""
    day = at if isinstance(at, datetime.date) else local(at).date()
    return f"{day:%d/%m/%Y}"


def clock(at: float) -> str:
    """Write a time of day for a table: 07:10."""
    return f"{local(at):%H:%M}"


def moment(at: float, now: float) -> str:
    """Write a time for a sentence: 7 giờ 10, hôm qua lúc 7 giờ 10, ngày 21/11/2026 lúc …"""
    hour = _hour(at)
    days = (local(now).date() - local(at).date()).days
    if days == 0:
        return hour
    if days == 1:
        return _("hôm qua lúc %(hour)s", hour=hour)
    if days == -1:
        return _("ngày mai lúc %(hour)s", hour=hour)
    return dated(at)


def dated(at: float) -> str:
    """Write a time that is read on another day too, as on paper: ngày 21/11/2026 lúc 7 giờ 10."""
    return _("ngày %(day)s lúc %(hour)s", day=date(at), hour=_hour(at))


def _hour(at: float) -> str:
    then = local(at)
    if language() != "vi":
        return f"{then:%H:%M}"
    return f"{then.hour}{NO_BREAK}giờ" + (f"{NO_BREAK}{then.minute:02d}" if then.minute else "")


def age(seconds: float) -> str:
    """Write how long ago: vừa xong, cách đây 10 phút, cách đây 3 giờ, cách đây 2 ngày."""
    whole = max(0, int(seconds))
    just_now, minutes, hours, days = age_words()
    if whole < 60:
        return just_now
    if whole < 3600:
        return minutes.replace(_COUNT, number(whole // 60))
    if whole < 2 * 86400:
        return hours.replace(_COUNT, number(whole // 3600))
    return days.replace(_COUNT, number(whole // 86400))


def marked_age(seconds: float) -> Markup:
    """Write how long ago, marked so that a page kept on a phone can count on from it."""
    return Markup('<span data-ago="{}">{}</span>').format(max(0, int(seconds)), age(seconds))


def age_words() -> list[str]:
    """The words of ``age`` for less than a minute, for minutes, hours and days, with ``{n}``.

    A page kept on a phone counts on with the same words (``static/phone.js``).
    """
    return [
        _("vừa xong"),
        _("cách đây %(count)s phút", count=_COUNT),
        _("cách đây %(count)s giờ", count=_COUNT),
        _("cách đây %(count)s ngày", count=_COUNT),
    ]


def duration(seconds: float) -> str:
    """Write a length of time: 20 giây, 10 phút, 1 phút 30 giây."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return _("%(count)s giây", count=rest)
    if rest == 0:
        return _("%(count)s phút", count=number(minutes))
    return _("%(minutes)s phút %(seconds)s giây", minutes=number(minutes), seconds=rest)
