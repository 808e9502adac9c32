"""Puts the platform together: settings in, Flask application out.

Nothing connects on import; ``create_app`` opens the records and refuses a database of another
version. The rooms stand in one table; a room brings a blueprint and knows the ground
(``accounts``, ``store``, ``languages``, ``events``), not the other rooms.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, redirect

from nongso.platform import (
    accounts,
    compression,
    csrf,
    errors,
    languages,
    local,
    migrations,
    sent_forms,
    store,
    telemetry,
)
from nongso.platform.greenhouse.bell import Bell
from nongso.platform.settings import Settings

log = logging.getLogger(__name__)

MOST_BYTES = 8 * 1024 * 1024

# Module and name of the blueprint. A module may also have NAVIGATION, a tuple of
# ``accounts.Link`` for the head of every page, and ``prepare(app)``.
ROOMS = (
    ("nongso.platform.entrance", "blueprint"),
    ("nongso.platform.members.pages", "blueprint"),
    ("nongso.platform.health", "blueprint"),
    ("nongso.platform.wellknown", "blueprint"),
    ("nongso.platform.greenhouse.pages", "blueprint"),
    ("nongso.platform.greenhouse.ways", "blueprint"),
    ("nongso.platform.greenhouse.wet_test", "blueprint"),
    ("nongso.platform.greenhouse.stations", "blueprint"),
    ("nongso.platform.greenhouse.new_stations", "blueprint"),
    ("nongso.platform.greenhouse.calibration", "blueprint"),
    ("nongso.platform.greenhouse.removal", "blueprint"),
    ("nongso.platform.greenhouse.plants", "blueprint"),
    ("nongso.platform.greenhouse.water_sources", "blueprint"),
    ("nongso.platform.greenhouse.api", "blueprint"),
    ("nongso.platform.alerts.pages", "blueprint"),
    ("nongso.platform.alerts.api", "blueprint"),
    ("nongso.platform.diary.pages", "blueprint"),
    ("nongso.platform.phone.pages", "blueprint"),
    ("nongso.platform.voices.pages", "blueprint"),
    ("nongso.platform.overview.pages", "blueprint"),
    ("nongso.platform.overview.feed", "blueprint"),
    ("nongso.platform.uplink", "blueprint"),
    ("nongso.platform.openapi", "blueprint"),
    ("nongso.platform.traceability.pages", "blueprint"),
    ("nongso.platform.traceability.seasons.pages", "blueprint"),
    ("nongso.platform.traceability.seasons.plot_diary", "blueprint"),
    ("nongso.platform.traceability.shopper.page", "blueprint"),
    ("nongso.platform.traceability.shopper.scratch_pages", "blueprint"),
    ("nongso.platform.traceability.shopfront.public_pages", "blueprint"),
    ("nongso.platform.traceability.shopper.report_pages", "blueprint"),
    ("nongso.platform.traceability.resolver.described", "blueprint"),
    ("nongso.platform.traceability.api", "blueprint"),
    ("nongso.platform.traceability.labelling.api", "blueprint"),
    ("nongso.platform.traceability.making.api", "blueprint"),
    ("nongso.platform.traceability.recall.api", "blueprint"),
    ("nongso.platform.traceability.proof.pages", "blueprint"),
    ("nongso.platform.traceability.epcis.api", "blueprint"),
)

# No third party, no inline script or style. Pages of ours are never framed.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; media-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}


class _Platform(Flask):
    """Flask without the question, ten times for each request, whether a view is ``async``."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(settings: Settings) -> Flask:
    """Make the application. Raises ``SchemaError`` when the database is of another version."""
    # The instance path is named, because Flask cannot guess it for a package without __init__.
    app = _Platform(__name__, instance_path=str(settings.folder.resolve()))
    app.config.update(
        MAX_CONTENT_LENGTH=MOST_BYTES,
        MAX_FORM_MEMORY_SIZE=MOST_BYTES,
        MAX_FORM_PARTS=2000,
        SEND_FILE_MAX_AGE_DEFAULT=30 * 86400,
        TEMPLATES_AUTO_RELOAD=False,
        PROPAGATE_EXCEPTIONS=False,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["nongso.settings"] = settings
    migrations.check_file(settings)
    kept = store.install(app, settings)
    try:
        migrations.check(settings, kept)
        telemetry.install(app, settings)
    except BaseException:
        kept.close()
        raise
    app.extensions["nongso.bell"] = Bell(settings.threads)
    compression.install(app)  # first here is last to see an answer
    accounts.install(app)
    csrf.install(app, settings.secret, settings.secure_cookies)
    languages.install(app, settings.secure_cookies)
    errors.install(app)
    local.install(app, settings)
    sent_forms.install(app)
    app.jinja_env.globals["who"] = accounts.who
    app.jinja_env.globals["asset"] = _asset(Path(__file__).parent / "static")
    app.wsgi_app = _Headed(app.wsgi_app, own_headers(settings))  # type: ignore[assignment]
    navigation: list[accounts.Link] = []
    for module, name in ROOMS:
        try:
            room = import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            log.warning("%s is not built yet; its pages are missing", module)
            continue
        app.register_blueprint(getattr(room, name))
        navigation += getattr(room, "NAVIGATION", ())
        prepare = getattr(room, "prepare", None)
        if prepare is not None:
            prepare(app)
    app.jinja_env.globals["navigation"] = lambda: accounts.links_for(
        [link for link in navigation if local.is_here(link.endpoint)]
    )
    if not any(rule.rule == "/" for rule in app.url_map.iter_rules()):
        app.add_url_rule("/", "front", accounts.public(lambda: redirect("/greenhouses", 303)))
    return app


def _asset(folder: Path) -> Callable[[str], str]:
    """Return addresses of static files that change with the contents, so that phones keep them."""
    versions: dict[str, str] = {}

    def asset(name: str) -> str:
        if name not in versions:
            versions[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()[:10]
        return f"/static/{name}?v={versions[name]}"

    return asset


def own_headers(settings: Settings) -> dict[str, str]:
    """Return the headers of every answer that has none of its own of the same name."""
    tls = {"Strict-Transport-Security": "max-age=31536000"} if settings.secure_cookies else {}
    return HEADERS | tls | {"Cache-Control": "no-store"}


class _Headed:
    """The application with the headers that every answer has, whoever in it answers.

    They are laid on where the answer leaves: there is nothing left to be checked or turned
    over in them, which for each answer cost more than the rest of its headers together.
    """

    def __init__(self, application: WSGIApplication, headers: dict[str, str]) -> None:
        self._application = application
        self._headers = [(name.lower(), (name, value)) for name, value in headers.items()]

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], *failed: Any) -> Any:
            own = {name.lower() for name, _value in headers}
            headers += [pair for name, pair in self._headers if name not in own]
            return start(status, headers, *failed)

        return self._application(environ, begin)
