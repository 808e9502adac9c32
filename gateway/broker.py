"""How a farm gets its broker: Mosquitto's configuration, or the embedded one where it is missing.

``write_config`` lays down ``mosquitto.conf``, ``passwords`` and ``acl``; both brokers read the
same three. Passwords are hashed here in Mosquitto's own PBKDF2 format, so that none stands on a
command line and the embedded broker, which has no ``mosquitto_passwd``, takes the same file.

Who may what: a node writes ``up``, ``status`` and ``update`` under its own name, of whatever
farm and version of the protocol, and reads its own ``ack`` and ``down``; ``gateway`` reads
everything under ``nongso/`` and tells the nodes of its farms; ``demo`` may do everything there.
So a node whose farm or version is wrong is seen, counted and named by the gateway, and none can
speak as another. A node under a wrong name of its own is refused by the broker, which tells
nobody: under MQTT 3.1.1 a forbidden publish still gets a PUBACK, and Mosquitto writes "Denied
PUBLISH" only with ``log_type debug``. Such a node says at its start that its name is not its
user's, and the gateway tells of the silent node.

Size. A message of ours has at most 4 KiB. Packets up to 2 MiB pass the broker on purpose: the
gateway then refuses them where people look (log and a ``refused`` record), and acknowledges them
if they tell who sent them, so that no node resends one for ever. Above 2 MiB the broker cuts the
connection and says "oversize packet" in its log.
"""

import base64
import getpass
import hashlib
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nongso.gateway.settings import GatewaySettings, Stations
from nongso.gateway.wholefiles import written
from nongso.wire.topics import PREFIX, check_slug, topic

ROOT = PREFIX.split("/")[0]
MAX_PACKET_BYTES = 2 * 1024 * 1024
_ITERATIONS = 101  # Mosquitto's default; the passwords are 144 random bits
_SALT_BYTES = 12  # what Mosquitto 2.0 expects
# A normal user's PATH on Debian has no sbin.
_PLACES = (None, "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")

_CONFIG = """\
# {note}
listener {port} {address}
{stations}allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
pid_file {folder}/mosquitto.pid

# Sessions and retained states outlive a restart. Messages need not: a node keeps a message until
# the gateway has acknowledged it.
persistence true
persistence_location {folder}/
autosave_interval 300
persistent_client_expiration 14d

# The gateway acknowledges in groups, after its commit; a group must fit in flight.
max_inflight_messages 1000
max_inflight_bytes 8388608
# While the gateway is away. What does not fit is dropped here and kept on the node.
max_queued_messages 20000
max_queued_bytes 67108864
max_packet_size {packet}
# Nodes wait for small acknowledgements: without this most of them take 30 ms longer.
set_tcp_nodelay true

log_dest stderr
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%S
"""


class BrokerError(Exception):
    """The broker cannot be set up or started; the text says why and what to do."""


@dataclass(frozen=True)
class Rights:
    """Topic filters that one user may write and read."""

    write: tuple[str, ...]
    read: tuple[str, ...]


def rights(users: Mapping[str, str], nodes: Sequence[Mapping[str, Any]]) -> dict[str, Rights]:
    """What each user may do; nodes without a user (meter and tank) get none."""
    found: dict[str, Rights] = {}
    for node in nodes:
        farm, slug = str(node["farm"]), str(node["slug"])
        if slug in users:
            found[slug] = _rights_of_node(farm, slug)
    if "gateway" in users:
        found["gateway"] = _rights_of_gateway({str(node["farm"]) for node in nodes})
    if "demo" in users:
        found["demo"] = Rights((f"{ROOT}/#",), (f"{ROOT}/#",))
    unknown = set(users) - set(found)
    if unknown:
        raise BrokerError(f"No rights are known for the broker's users {sorted(unknown)}.")
    return found


def _rights_of_node(farm: str, slug: str) -> Rights:
    return Rights(
        tuple(f"{ROOT}/+/+/{slug}/{leaf}" for leaf in ("up", "status", "update")),
        (topic(farm, slug, "ack"), topic(farm, slug, "down")),
    )


def _rights_of_gateway(farms: Iterable[str]) -> Rights:
    return Rights(
        tuple(
            f"{PREFIX}/{check_slug(farm)}/+/{leaf}"
            for farm in sorted(farms)
            for leaf in ("ack", "down")
        ),
        (f"{ROOT}/#",),
    )


def with_node(acl: str, farm: str, slug: str, gateway: str, farms: Iterable[str]) -> str:
    """Return the file ``acl`` with a node's rights, and the gateway's over all these farms.

    What stands there of others stays, in whatever form somebody has written it.
    """
    kept = [part for user, part in _parts(acl) if part and user not in (slug, gateway)]
    kept.append(_acl(gateway, _rights_of_gateway(farms)).strip("\n"))
    kept.append(_acl(slug, _rights_of_node(farm, slug)).strip("\n"))
    return "\n\n".join(kept) + "\n"


def without_node(acl: str, slug: str) -> str:
    """Return the file ``acl`` without a node's rights; what stands there of others stays."""
    kept = [part for user, part in _parts(acl) if part and user != slug]
    return "\n\n".join(kept) + "\n"


def is_node(acl: str, farm: str, slug: str) -> bool:
    """Say whether the file ``acl`` gives this user a node's rights and no others."""
    theirs = _acl(slug, _rights_of_node(farm, slug)).strip("\n")
    return [part for user, part in _parts(acl) if user == slug] == [theirs]


def _parts(acl: str) -> list[tuple[str, str]]:
    """The parts of a file ``acl`` and whose they are; "" is before the first user."""
    parts = [part.strip("\n") for part in re.split(r"(?m)^(?=user )", acl)]
    heads = [part.partition("\n")[0] for part in parts]
    whose = [head.removeprefix("user ").strip() if head[:5] == "user " else "" for head in heads]
    return list(zip(whose, parts, strict=True))


def _acl(user: str, right: Rights) -> str:
    lines = [f"user {user}", *(f"topic write {filter_}" for filter_ in right.write)]
    return "\n".join([*lines, *(f"topic read {filter_}" for filter_ in right.read), ""])


def hash_password(password: str, salt: bytes) -> str:
    """Hash a password as Mosquitto 2.0 does (``$7$``: PBKDF2 with SHA-512)."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, 64)
    parts = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"$7${_ITERATIONS}${'$'.join(parts)}"


def _write_private(file: Path, text: str) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), 0o600)
        out.write(text)


def write_config(
    folder: Path,
    port: int,
    users: Mapping[str, str],
    nodes: Sequence[Mapping[str, Any]],
    address: str = "127.0.0.1",
    note: str = "Written by nongso at each start; changes are overwritten.",
    admitted: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write the broker's three files.

    ``users`` maps each user to its password: ``gateway``, ``demo``, and nodes by their slug;
    ``nodes`` are mappings with ``farm`` and ``slug``. It listens at ``address``. Of ``admitted``,
    nodes that were let in by a claim code, nobody here knows the password: the line in
    ``passwords`` stays.
    """
    folder = folder.resolve()
    known = dict.fromkeys([*users, *(str(node["slug"]) for node in admitted)], "")
    allowed = rights(known, [*nodes, *admitted])
    acl: list[str] = []
    passwords = _lines_of(folder / "passwords", {str(node["slug"]) for node in admitted})
    for user, right in sorted(allowed.items()):
        check_slug(user)
        if user in users:
            salt = secrets.token_bytes(_SALT_BYTES)
            passwords.append(f"{user}:{hash_password(users[user], salt)}")
        acl.append(_acl(user, right))
    folder.mkdir(parents=True, exist_ok=True)
    _write_private(folder / "passwords", "\n".join(passwords) + "\n")
    _write_private(folder / "acl", "\n".join(acl))
    _write_private(folder / "mosquitto.conf", _config(folder, port, address, note, ""))


def _config(folder: Path, port: int, address: str, note: str, stations: str) -> str:
    config = _CONFIG.format(
        port=port,
        address=address,
        note=note,
        folder=folder,
        packet=MAX_PACKET_BYTES,
        stations=stations,
    )
    if os.geteuid() == 0:
        # Started by root, Mosquitto would become a user who may not read this folder.
        config += f"user {getpass.getuser()}\n"
    return config


def _lines_of(file: Path, users: Iterable[str]) -> list[str]:
    """The lines of these users in a file of passwords; a line that is damaged is left out."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return []
    wanted = set(users)
    whole = [line.decode("ascii") for line in lines if line.isascii()]
    return [line for line in whole if line.partition(":")[0] in wanted]


_FIRST_NOTE = "Written by nongso gateway broker and nongso gateway stations."


def first_files(settings: GatewaySettings, address: str) -> Path:
    """Write the broker's files of a new gateway into ``broker`` beside its settings; return it.

    Nodes come in one by one (``nongso.gateway.enrolment``). Raises ``BrokerError`` where there are
    files already: they hold what lets the nodes in.
    """
    folder = settings.folder / "broker"
    if (folder / "passwords").exists():
        raise BrokerError(
            f"{folder} is there already and holds the stations' passwords; move it away to make a "
            "new one. Every station is then deployed anew."
        )
    farms = [{"farm": farm.slug, "slug": settings.bus_node.slug} for farm in settings.farms]
    users = {settings.broker.user: settings.broker.password}
    write_config(folder, settings.broker.port, users, farms, address, _FIRST_NOTE)
    return folder


def listen_for_stations(settings: GatewaySettings) -> Path:
    """Write ``mosquitto.conf`` anew, listening for stations where the settings say.

    The gateway itself goes on over the loopback, in plain. Passwords and rights stay. Returns the
    file; Mosquitto opens a listener only when it starts.
    """
    at, folder = settings.stations, settings.broker_folder.resolve()
    stations = "" if at is None else _listener(at, settings)
    if not (folder / "passwords").exists():
        raise BrokerError(f"{folder} is not there yet; make it with: nongso gateway broker")
    file = folder / "mosquitto.conf"
    config = _config(folder, settings.broker.port, settings.broker.host, _FIRST_NOTE, stations)
    written(file, config).replace(file)
    return file


def _listener(at: Stations, settings: GatewaySettings) -> str:
    if at.host == settings.broker.host and settings.station_port == settings.broker.port:
        return ""
    lines = [f"listener {settings.station_port} {at.host}"]
    if at.certificate is not None and at.certificate_key is not None:
        lines += [
            f"certfile {(settings.folder / at.certificate).resolve()}",
            f"keyfile {(settings.folder / at.certificate_key).resolve()}",
            "tls_version tlsv1.2",
        ]
    return "\n".join([*lines, ""])


def find_mosquitto() -> str | None:
    """Where Mosquitto is installed, or ``None``."""
    return next(filter(None, (shutil.which("mosquitto", path=place) for place in _PLACES)), None)


def command(folder: Path) -> list[str]:
    """How to start Mosquitto with this folder's configuration."""
    found = find_mosquitto()
    if found is None:
        raise BrokerError("Mosquitto is not installed. On Debian: apt install mosquitto")
    return [found, "-c", str(folder.resolve() / "mosquitto.conf")]


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether something listens on the broker's port."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def run_embedded(folder: Path) -> int:
    """Run the embedded broker with this folder's configuration. Returns the exit status."""
    from nongso.gateway.simulated import embedded_broker  # amqtt costs 19 MB: only where it runs

    return embedded_broker.run(folder)
