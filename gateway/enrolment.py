"""Letting a node in or out: its name, number, broker password and key, in the files that count.

The node gets an entry under ``nodes`` of ``gateway.json`` (its key signs its updates) and a line
among the broker's passwords with its rights beside it; the broker reads both anew on SIGHUP. A
gateway that runs sees the new settings within a second (``takingup.py``). Nothing is asked over
a network here.
"""

import json
import os
import secrets
import signal
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nongso.gateway import broker
from nongso.gateway.errors import GatewayError
from nongso.gateway.settings import GatewaySettings, load
from nongso.gateway.wholefiles import alone, settings_written, written

_SALT_BYTES = 12
CA_FILE = "broker-ca.pem"  # on the board
_CA_BYTES = 16 * 1024  # a chain of some authorities; a board keeps it in its memory too


class EnrolmentError(GatewayError):
    """A node cannot be let in; the text says why and what to do."""


@dataclass(frozen=True)
class Reached:
    """Where stations find the broker and, if it has a certificate, by what they know it."""

    port: int
    ca: str | None = None  # what has signed the certificate, PEM
    name: str | None = None  # in the certificate; else its host

    def brought_to(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return a ``config.json`` that says so. ``ca`` is the certificate's text in it.

        The board keeps that in the file that ``broker.ca_file`` names.
        """
        words = {**config.get("broker", {}), "port": self.port}
        if self.ca is None:
            return config | {"broker": words}
        words |= {"ca_file": CA_FILE, "name": self.name}
        if self.name is None:
            del words["name"]
        return config | {"broker": words, "ca": self.ca}


@dataclass(frozen=True)
class Admitted:
    """What a node must know of itself and of the broker."""

    farm: str
    slug: str
    eui64: str
    password: str
    key: str
    at: Reached


@dataclass(frozen=True)
class Place:
    """Which node is meant, and where it will stand. ``greenhouse`` may be left out if known."""

    farm: str
    slug: str
    greenhouse: str | None = None
    zone: str | None = None


def admit(settings_file: Path, broker_folder: Path, place: Place, eui64: str) -> Admitted:
    """Let a node in under a name, with a new password and key. Raises ``GatewayError``.

    Under a name that is there already the new board takes the place of the old one, whose
    password then ends. Who asks while another is let in waits for that.
    """
    try:
        with alone(settings_file.parent):
            return _admit(settings_file, broker_folder, place, eui64)
    except OSError as error:
        raise EnrolmentError(
            f"{place.slug} was not let in: {error}. Make room or mend the folder's rights, and "
            "begin again."
        ) from None


def _admit(settings_file: Path, broker_folder: Path, place: Place, eui64: str) -> Admitted:
    settings = load(settings_file)
    for other in settings.nodes:
        if other.eui64 == eui64 and (other.farm, other.slug) != (place.farm, place.slug):
            raise EnrolmentError(
                f"This board ({eui64}) is the node {other.slug} already. Take that one out of "
                f"{settings_file} first, or deploy it under that name."
            )
        if other.slug == place.slug and other.farm != place.farm:
            raise EnrolmentError(
                f"{place.slug} is a node of farm {other.farm} already, and the broker knows nodes "
                "by this name alone. Choose another one."
            )
    key, password = secrets.token_hex(32), secrets.token_urlsafe(24)
    found: dict[str, Any] = json.loads(settings_file.read_text("utf-8"))
    nodes = found["nodes"]
    known = next((n for n in nodes if (n["farm"], n["slug"]) == (place.farm, place.slug)), None)
    if known is None:
        if place.greenhouse is None:
            houses = ", ".join(house.slug for house in settings.greenhouses) or "none yet"
            raise EnrolmentError(
                f"{settings_file} has no node {place.slug} of farm {place.farm}. Say where it "
                f"stands with --greenhouse (there are: {houses}), and --zone if it is one's."
            )
        known = {"farm": place.farm, "slug": place.slug, "greenhouse": place.greenhouse}
        nodes.append(known)
    if place.greenhouse is not None:
        known |= {"greenhouse": place.greenhouse, "zone": place.zone}
    for source in found.get("sources", []):  # the level that the old board measured
        if known.get("eui64") and source.get("level_node") == known["eui64"]:
            source["level_node"] = eui64
    known |= {"eui64": eui64, "key": key}
    passwords, acl = _broker_files(broker_folder, settings, place, password)
    at = _reached(settings)
    _replace(settings_file, found, broker_folder, passwords, acl)
    return Admitted(place.farm, place.slug, eui64, password, key, at)


def remove(settings_file: Path, broker_folder: Path, farm: str, slug: str) -> None:
    """Take a node out: no key, no password, no rights. Raises ``GatewayError``.

    The broker knows it no more from the moment at which it has read its files anew. Where a person
    has given a station of another farm the same name, the broker's user stays if it is that one's.
    """
    try:
        with alone(settings_file.parent):
            settings = load(settings_file)
            found: dict[str, Any] = json.loads(settings_file.read_text("utf-8"))
            found["nodes"] = [n for n in found["nodes"] if (n["farm"], n["slug"]) != (farm, slug)]
            passwords, acl = _read_broker_files(broker_folder)
            others = [n.farm for n in settings.nodes if n.slug == slug and n.farm != farm]
            if not any(broker.is_node(acl, other, slug) for other in others):
                kept = [one for one in passwords.splitlines() if not one.startswith(f"{slug}:")]
                passwords = "".join(f"{one}\n" for one in kept)
                acl = broker.without_node(acl, slug)
            _replace(settings_file, found, broker_folder, passwords, acl)
    except OSError as error:
        raise EnrolmentError(
            f"{slug} was not taken out: {error}. Make room or mend the folder's rights, and "
            "begin again."
        ) from None


def _replace(
    settings_file: Path, found: dict[str, Any], broker_folder: Path, passwords: str, acl: str
) -> None:
    """Put settings and the broker's files in place of what was there.

    All three are whole on the disk before the first counts, and the settings come last: who is
    to come in has a password by then, and who is to go has none. What is cut off in between is
    begun again under the same name.
    """
    new_settings, _settings = settings_written(settings_file, found)
    files = [broker_folder / "acl", broker_folder / "passwords"]
    try:
        new = [written(file, text) for file, text in zip(files, (acl, passwords), strict=True)]
    except OSError:
        new_settings.unlink()
        raise
    for one, file in zip([*new, new_settings], [*files, settings_file], strict=True):
        one.replace(file)


def config_of(admitted: Admitted, config: dict[str, Any], broker_host: str) -> dict[str, Any]:
    """Return a ``config.json`` for this node: what was there, with its name, password and key.

    Where the broker has a certificate, ``ca`` is the text of what has signed it (``Reached``).
    """
    made = config | {
        "farm": admitted.farm,
        "node": admitted.slug,
        "eui64": admitted.eui64,
        "key": admitted.key,
        "broker": {
            "host": broker_host,
            "user": admitted.slug,
            "password": admitted.password,
        },
    }
    return admitted.at.brought_to(made)


def reached(settings_file: Path) -> Reached:
    """Where stations find the broker of these settings. Raises ``GatewayError``."""
    return _reached(load(settings_file))


def _reached(settings: GatewaySettings) -> Reached:
    """Nothing is let in without the certificate that it is to trust."""
    at = settings.stations
    ca = None if at is None or at.ca_file is None else authority(settings.folder / at.ca_file)
    return Reached(settings.station_port, ca, None if at is None else at.name)


def authority(file: Path) -> str:
    """Read the certificate of an authority: one that a TLS client accepts, of at most 16 kB.

    Raises ``EnrolmentError``.
    """
    try:
        with file.open("rb") as opened:
            found = opened.read(_CA_BYTES + 1)
        text = found.decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise EnrolmentError(f"{file} cannot be read as a certificate (PEM): {error}") from None
    if "BEGIN CERTIFICATE" not in text or "PRIVATE KEY" in text:
        raise EnrolmentError(f"{file} must hold the authority's certificate (PEM), and no key")
    if len(found) > _CA_BYTES:
        raise EnrolmentError(
            f"{file} is larger than {_CA_BYTES // 1024} kB, which is too much for a board. Name "
            "the file that holds the one authority that has signed the broker's certificate."
        )
    try:
        ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise EnrolmentError(
            f"{file} is no whole certificate (PEM): {error}. Copy the authority's file again."
        ) from None
    return text


def _broker_files(
    folder: Path, settings: GatewaySettings, place: Place, password: str
) -> tuple[str, str]:
    """The broker's passwords and rights with this node in them."""
    passwords, acl = _read_broker_files(folder)
    users = {one.partition(":")[0] for one in passwords.splitlines()}
    is_node = any(node.slug == place.slug for node in settings.nodes)
    if place.slug in users and not is_node and not broker.is_node(acl, place.farm, place.slug):
        raise EnrolmentError(
            f"{place.slug} is the name of a user of the broker who is no station. Choose another."
        )
    line = broker.hash_password(password, secrets.token_bytes(_SALT_BYTES))
    kept = [one for one in passwords.splitlines() if not one.startswith(f"{place.slug}:")]
    farms = [farm.slug for farm in settings.farms]
    acl = broker.with_node(acl, place.farm, place.slug, settings.broker.user, farms)
    return "\n".join([*kept, f"{place.slug}:{line}"]) + "\n", acl


def _read_broker_files(folder: Path) -> tuple[str, str]:
    try:
        return (folder / "passwords").read_text("utf-8"), (folder / "acl").read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnrolmentError(
            f"The broker's files cannot be read ({error}). Name their folder with --broker-folder."
        ) from None


def tell_broker(broker_folder: Path) -> bool:
    """Let the broker read its files anew; says whether one could be told."""
    try:
        number = int((broker_folder / "mosquitto.pid").read_text())
        command = Path(f"/proc/{number}/cmdline").read_bytes()
        if b"mosquitto" not in command:
            return False
        os.kill(number, signal.SIGHUP)
    except (OSError, ValueError):
        return False
    return True
