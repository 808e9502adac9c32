"""The broker for machines without Mosquitto: amqtt with the same users and the same rights.

For a trial only, and it says so: it drops messages that it has acknowledged when the publisher
leaves at once (measured: 3 to 5 of 2,000 arrive), keeps nothing over a restart and speaks MQTT
3.1.1 only. Readings survive that because a node keeps them until the gateway's own ack.

amqtt 0.12.1 asks its plugins about topics of publish and subscribe, but not about last wills; so
a client whose will lies outside its rights is refused when it connects.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
import signal
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amqtt.broker import Broker  # type: ignore[import-untyped]
from amqtt.contexts import Action, BaseContext, BrokerConfig, ListenerConfig  # type: ignore[import-untyped]
from amqtt.errors import AMQTTError  # type: ignore[import-untyped]
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin  # type: ignore[import-untyped]
from amqtt.session import Session  # type: ignore[import-untyped]

WARNING = (
    "WARNING: this is the embedded broker, for trials only. It drops messages that it has already "
    "acknowledged when their sender leaves at once, and forgets everything at a restart. Nodes "
    "send again until the gateway itself has acknowledged, so no reading is lost, but it takes "
    "longer. Install Mosquitto instead (Debian: apt install mosquitto)."
)


def covers(allowed: str, asked: str) -> bool:
    """Say whether ``allowed`` matches every topic that ``asked`` (topic or filter) matches."""
    mine, theirs = allowed.split("/"), asked.split("/")
    for index, level in enumerate(mine):
        if level == "#":
            return True
        if index >= len(theirs) or theirs[index] == "#":
            return False
        if level != "+" and level != theirs[index]:
            return False
    return len(mine) == len(theirs)


def read_acl(file: Path) -> dict[str, dict[str, list[str]]]:
    """Read the ``acl`` that ``nongso.gateway.broker`` writes: user -> write/read -> filters."""
    found: dict[str, dict[str, list[str]]] = {}
    user: dict[str, list[str]] = {}
    for line in file.read_text("utf-8").splitlines():
        words = line.split()
        if words[:1] == ["user"]:
            user = found.setdefault(words[1], {"write": [], "read": []})
        elif words[:1] == ["topic"]:
            user[words[1]].append(words[2])
    return found


def read_passwords(file: Path) -> dict[str, str]:
    """Read the ``passwords`` file: user -> hash."""
    lines = file.read_text("utf-8").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def fits(password: str, hashed: str) -> bool:
    """Check a password against a Mosquitto ``$7$`` hash."""
    try:
        _, kind, iterations, salt, digest = hashed.split("$")
        wanted = base64.b64decode(digest)
        given = hashlib.pbkdf2_hmac(
            "sha512", password.encode(), base64.b64decode(salt), int(iterations), len(wanted)
        )
    except ValueError:
        return False
    return kind == "7" and hmac.compare_digest(given, wanted)


@dataclass
class _Folder:
    folder: str = ""


class Passwords(BaseAuthPlugin):  # type: ignore[misc]
    """Lets in who is in ``passwords`` and leaves no will that it may not write."""

    Config = _Folder

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        folder = Path(self.config.folder)
        self._hashes = read_passwords(folder / "passwords")
        self._acl = read_acl(folder / "acl")

    async def authenticate(self, *, session: Session) -> bool | None:
        user = session.username or ""
        hashed = self._hashes.get(user)
        if hashed is None or not fits(session.password or "", hashed):
            print(f"Refused: user {user!r} with a wrong password", file=sys.stderr, flush=True)
            return False
        will = session.will_topic if session.will_flag else None
        if will and not any(covers(right, will) for right in self._acl[user]["write"]):
            print(f"Refused: user {user!r} may not leave a will on {will!r}", file=sys.stderr)
            return False
        return True


class Topics(BaseTopicPlugin):  # type: ignore[misc]
    """Lets users publish, subscribe and receive what ``acl`` allows them."""

    Config = _Folder

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._acl = read_acl(Path(self.config.folder) / "acl")

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool | None:
        rights = self._acl.get((session.username if session else None) or "")
        if rights is None or not topic:
            return False
        allowed = rights["write" if action == Action.PUBLISH else "read"]
        return any(covers(right, topic) for right in allowed)


class _Subscriptions(dict[str, list[tuple[Session, int]]]):
    """Who listens to what; may change while a message is being handed out.

    amqtt 0.12.1 walks through the live dictionary and waits in between: whoever subscribes at that
    moment ends the walk with a RuntimeError, and the message reaches nobody else.
    """

    def items(self) -> Any:
        return [(filter_, list(listeners)) for filter_, listeners in super().items()]


def _port(folder: Path) -> int:
    for line in (folder / "mosquitto.conf").read_text("utf-8").splitlines():
        if line.startswith("listener "):
            return int(line.split()[1])
    raise ValueError(f"no listener in {folder / 'mosquitto.conf'}")


async def _serve(folder: Path, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    here = {"folder": str(folder)}
    broker = Broker(
        BrokerConfig(
            listeners={"default": ListenerConfig(bind=f"127.0.0.1:{port}")},
            plugins={f"{__name__}.Passwords": here, f"{__name__}.Topics": here},
        )
    )
    broker._subscriptions = _Subscriptions()
    await broker.start()
    print(f"Embedded broker ready on 127.0.0.1:{port}.", flush=True)
    await stop.wait()
    await broker.shutdown()


def run(folder: Path) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit status."""
    print(WARNING, file=sys.stderr, flush=True)
    warnings.simplefilter("ignore", DeprecationWarning)  # amqtt's own, about its next version
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    logging.getLogger("transitions").setLevel(logging.ERROR)
    try:
        port = _port(folder)
        asyncio.run(_serve(folder.resolve(), port))
    except (OSError, ValueError) as error:
        print(f"The embedded broker cannot begin: {error}", file=sys.stderr, flush=True)
        return 1
    except AMQTTError as error:
        print(f"The embedded broker cannot begin: {error}", file=sys.stderr, flush=True)
        return 1
    return 0
