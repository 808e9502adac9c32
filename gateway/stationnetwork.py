"""Writes into ``gateway.json`` where stations reach this machine, and into the broker's listener.

For whoever sets up a gateway. The broker listens on the loopback alone until this was done.
"""

import json
import ssl
from pathlib import Path
from typing import Any

from nongso.gateway import broker
from nongso.gateway.errors import SettingsError
from nongso.gateway.settings import Stations, load
from nongso.gateway.wholefiles import alone, settings_written

PLAIN_PORT, TLS_PORT = 1883, 8883


def listen(
    settings_file: Path,
    *,
    host: str,
    broker_port: int | None = None,
    claim_port: int = 8082,
    certificate: Path | None = None,
    certificate_key: Path | None = None,
    ca_file: Path | None = None,
    name: str | None = None,
) -> Stations:
    """Write the setting and the broker's listener. Raises ``GatewayError`` or ``BrokerError``.

    What cannot be used is not put in place: both files are left as they were.
    """
    files = {"certificate": certificate, "certificate_key": certificate_key, "ca_file": ca_file}
    made: dict[str, Any] = {
        "host": host,
        "broker_port": broker_port or (TLS_PORT if certificate else PLAIN_PORT),
        "claim_port": claim_port,
    }
    made |= {key: str(path.absolute()) for key, path in files.items() if path is not None}
    if name is not None:
        made["name"] = name
    try:
        with alone(settings_file.parent):
            load(settings_file)
            found: dict[str, Any] = json.loads(settings_file.read_text("utf-8"))
            before = found.get("stations") or {}
            found["stations"] = made | {k: before[k] for k in before.keys() & {"broker_folder"}}
            new, settings = settings_written(settings_file, found)
            try:
                if certificate and certificate_key and ca_file:
                    _check_certificate(certificate, certificate_key, ca_file)
                broker.listen_for_stations(settings)
                new.replace(settings_file)
            finally:
                new.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"{settings_file} cannot be written: {error}") from None
    assert settings.stations is not None
    return settings.stations


def _check_certificate(certificate: Path, key: Path, ca_file: Path) -> None:
    """Refuse files that a broker or a station could not use."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"{certificate}, {key} and {ca_file} do not go together, or one of them cannot be "
            f"read: {error}"
        ) from None
