"""Readings, behind one interface: ``Telemetry``. Which store is behind it, a setting says.

Rooms import from here only. ``open_telemetry`` opens the store that the settings name; the stores
themselves are modules of their own, and what one of them needs is imported only when it is used.
"""

from typing import cast

from flask import Flask, Response, current_app

from nongso.platform.settings import Settings
from nongso.platform.telemetry import address as address_of
from nongso.platform.telemetry.address import AddressError
from nongso.platform.telemetry.answers import answer_away
from nongso.platform.telemetry.housekeeping import Housekeeper
from nongso.platform.telemetry.interface import (
    DAY,
    HOUR,
    Columns,
    Health,
    Point,
    Row,
    Series,
    Summary,
    Telemetry,
    TelemetryAway,
    TelemetryDamaged,
    TelemetryError,
    Written,
    local_day,
)
from nongso.platform.telemetry.sqlite import SqliteTelemetry

__all__ = [
    "DAY",
    "HOUR",
    "Columns",
    "Health",
    "Point",
    "Row",
    "Series",
    "SqliteTelemetry",
    "Summary",
    "Telemetry",
    "TelemetryAway",
    "TelemetryDamaged",
    "TelemetryError",
    "Written",
    "install",
    "keep_house",
    "local_day",
    "open_telemetry",
    "telemetry",
]


def open_telemetry(settings: Settings) -> Telemetry:
    """Open the store of readings. Raises ``TelemetryError``."""
    try:
        address = address_of.read(settings.telemetry)
    except AddressError as error:
        raise TelemetryError(f"telemetry (or NONGSO_TELEMETRY): {error}") from error
    if address.kind == address_of.INFLUXDB:
        from nongso.platform.telemetry.influx import InfluxTelemetry

        return InfluxTelemetry(address)
    if address.kind == address_of.VICTORIA:
        from nongso.platform.telemetry.victoria import VictoriaTelemetry

        return VictoriaTelemetry(address)
    return SqliteTelemetry(settings.folder / address.file)


def install(app: Flask, settings: Settings) -> Telemetry:
    """Give the Flask application its readings."""
    kept = app.extensions["nongso.telemetry"] = open_telemetry(settings)
    if isinstance(kept, SqliteTelemetry):
        kept.carry_over()
    app.register_error_handler(TelemetryAway, _away)
    return kept


def keep_house(app: Flask) -> Housekeeper | None:
    """Keep the store in order in the background, where that is ours to do."""
    kept = app.extensions["nongso.telemetry"]
    if not isinstance(kept, SqliteTelemetry):
        return None
    keeper = Housekeeper(kept)
    keeper.start()
    return keeper


def _away(error: TelemetryAway) -> Response:
    return answer_away(error)


def telemetry() -> Telemetry:
    """Return the application's readings."""
    return cast(Telemetry, current_app.extensions["nongso.telemetry"])
