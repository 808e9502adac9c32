"""Which store of readings a setting means: one line, read and checked here, without connecting.

    sqlite:///telemetry.sqlite                 a file; relative to the platform's folder
    influxdb+http://TOKEN@host:8086/database   InfluxDB 1.8, 2 or 3 (user:password@ for version 1)
    victoriametrics+http://host:8428           VictoriaMetrics, single node

``https`` instead of ``http`` for TLS. After a question mark: ``org`` and ``retention`` (the
retention policy) for InfluxDB; ``retention`` for VictoriaMetrics, the shortest one in years that
is accepted. Secrets with special characters are percent-encoded.
"""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

SQLITE, INFLUXDB, VICTORIA = "sqlite", "influxdb", "victoriametrics"
EXAMPLES = (
    "sqlite:///telemetry.sqlite, influxdb+http://TOKEN@127.0.0.1:8086/nongso, "
    "victoriametrics+http://127.0.0.1:8428"
)
_PORTS = {INFLUXDB: 8086, VICTORIA: 8428}
_OPTIONS = {SQLITE: set[str](), INFLUXDB: {"org", "retention"}, VICTORIA: {"retention"}}
_LEAST_YEARS = 10.0


class AddressError(ValueError):
    """The setting means no store; the text says what is wrong and never shows a secret."""


@dataclass(frozen=True)
class Address:
    """A store of readings. ``url`` has no secret; ``token`` is empty where none is needed."""

    kind: str
    file: str = "telemetry.sqlite"
    url: str = ""
    user: str = ""
    token: str = field(default="", repr=False)
    database: str = ""
    org: str = ""
    retention: str = ""
    least_years: float = _LEAST_YEARS


def read(text: str) -> Address:
    """Read a setting; an empty one is the SQLite file. Raises ``AddressError``."""
    if not text:
        return Address(SQLITE)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise AddressError("the address of the readings' store cannot be read") from None
    kind, _, transport = parts.scheme.partition("+")
    if kind not in _OPTIONS or transport not in ({""} if kind == SQLITE else {"http", "https"}):
        raise AddressError(
            f"{parts.scheme or 'nothing'}: is no store of readings; known: {EXAMPLES}"
        )
    try:
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
    except ValueError:
        options = {} if not parts.query else {parts.query: ""}
    unknown = sorted(set(options) - _OPTIONS[kind])
    if unknown:
        known = ", ".join(sorted(_OPTIONS[kind])) or "none"
        raise AddressError(f"{kind} has no option {unknown[0]!r}; known: {known}")
    if kind == SQLITE:
        if parts.netloc or not parts.path[1:]:
            raise AddressError("a file is named with three slashes: sqlite:///telemetry.sqlite")
        return Address(SQLITE, file=unquote(parts.path[1:]))
    if not parts.hostname:
        raise AddressError(f"{kind}: no host is named; for example: {EXAMPLES}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    database = unquote(parts.path.strip("/"))
    if kind == INFLUXDB and (not database or "/" in database):
        raise AddressError(
            "influxdb: one database must be named: influxdb+http://host:8086/nongso"
        )
    if kind == VICTORIA and database:
        raise AddressError("victoriametrics has no databases: nothing may follow the host")
    user, secret = unquote(parts.username or ""), unquote(parts.password or "")
    return Address(
        kind,
        url=f"{transport}://{host}:{port or _PORTS[kind]}",
        user=user if secret else "",
        token=secret or user,
        database=database,
        org=options.get("org", ""),
        retention=options.get("retention", "") if kind == INFLUXDB else "",
        least_years=_years(options["retention"])
        if kind == VICTORIA and "retention" in options
        else _LEAST_YEARS,
    )


def _years(text: str) -> float:
    number, is_years = text.removesuffix("y"), text.endswith("y")
    try:
        found = float(number)
    except ValueError:
        found = 0.0
    if not is_years or not 0 < found <= 1000:
        raise AddressError(f"retention must be a number of years such as 5y, not {text!r}")
    return found
