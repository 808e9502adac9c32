"""Rows out, commands in: the gateway's outbound conversation with its platforms.

How this works. With each platform (the cooperative's, and perhaps a small one on the farm's own
box) the gateway keeps a conversation of three threads. Two couriers carry the outbox, one the
protected rows (runs, commands, alarms, zones, configuration), one the telemetry, each over its
own connection, so that a backlog of readings on a slow line never holds up an alarm. A row leaves
the outbox only when every platform's answer has named it; how far each is, the store remembers,
so that one that is away for weeks holds up nothing. A third thread keeps a long poll open for
commands. All are outbound; no port is open towards the Internet. The first failure and the
recovery are logged, not what lies between.
"""

import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from nongso.gateway.errors import PlatformRefused, PlatformSilent
from nongso.gateway.ledger import as_json
from nongso.gateway.orders import CommandRefused, verify
from nongso.gateway.platformlink import PlatformLink
from nongso.gateway.settings import GatewaySettings, Platform
from nongso.gateway.stops import Given
from nongso.gateway.store import Row, Store
from nongso.gateway.valves.clock import boottime

log = logging.getLogger(__name__)

MOST_ROWS = 500
MOST_BYTES = 1 << 20
ANSWER_SECONDS = 30.0
POLL_WAIT_SECONDS = 20
LINGER_SECONDS = 1.0  # telemetry of a second travels together
IDLE_SECONDS = 5.0
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
LONGEST_RETRY_AFTER_SECONDS = 300.0
REFUSED_ALARM_SECONDS = 3600.0
NO_STORE = "none"  # names the store while its file cannot be opened
MOST_HEARD = 20  # outcomes that one poll carries
MOST_FORGED_OUTCOMES = 20  # recorded in a life of the process; further ones are counted

AGE_ROUNDING_SECONDS = 1.0  # a platform tells whole seconds
AGELESS_SECONDS = 3600.0  # what a wish of a platform that tells no age may have waited there

Order = Callable[[dict[str, Any], Given], dict[str, Any]]


class Line:
    """What is known about the way to a platform; shared by the three threads."""

    def __init__(self, called: str = "") -> None:
        self._who = f"the platform {called}".strip()
        self.up_since: float | None = None
        self.trouble: str | None = None
        self.recovered = threading.Condition()
        self._lock = threading.Lock()

    def answered(self) -> None:
        """The platform has answered something."""
        with self._lock:
            if self.up_since is not None:
                return
            self.up_since = time.time()
            had_trouble, self.trouble = self.trouble is not None, None
        log.info("%s answers%s", self._who, " again" if had_trouble else "")
        with self.recovered:
            self.recovered.notify_all()

    def silent(self, why: str) -> None:
        """Nothing came back."""
        with self._lock:
            is_first = self.trouble is None
            self.up_since, self.trouble = None, why
        if is_first:
            log.warning(
                "%s cannot be reached (%s); rows wait in the outbox, watering goes on",
                *(self._who, why),
            )


class _Thread:
    """A thread with a connection of its own and a back-off with full jitter."""

    def __init__(self, name: str, platform: Platform, line: Line) -> None:
        self._link = PlatformLink(platform, ANSWER_SECONDS)
        self._platform = platform
        self._line = line
        self._name = name
        self._failures = 0
        self._refusal: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stopping.set()
        with self._line.recovered:
            self._line.recovered.notify_all()

    def end(self, seconds: float) -> None:
        """Wait for an answer that is under way, then hang up."""
        self._thread.join(seconds)
        self._link.hang_up()
        self._thread.join(0.2)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except PlatformSilent as error:
                if not self._stopping.is_set():
                    self._line.silent(str(error))
                    self._back_off()
            except PlatformRefused as error:
                self._line.answered()
                self._refused(error)
                self._back_off(error.retry_seconds)
            except Exception:
                log.exception("the uplink's thread %s failed; it goes on", self._name)
                self._back_off()
        self._link.close()

    def _turn(self) -> None:
        raise NotImplementedError

    def _worked(self) -> None:
        self._line.answered()
        self._failures = 0
        if self._refusal is not None:
            log.warning("the platform takes what %s sends again", self._name)
            self._refusal = None

    def _refused(self, error: PlatformRefused) -> None:
        refusal = f"{error.status}: {error}"
        if refusal != self._refusal:
            log.error("the platform answered %s with %s", self._name, refusal)
        self._refusal = refusal

    def _back_off(self, retry_seconds: float | None = None) -> None:
        """Wait, at most ``LONGEST_WAIT_SECONDS``; shorter when the line recovers elsewhere."""
        self._failures += 1
        longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(self._failures, 10))
        wait = random.uniform(0.05, longest)
        if retry_seconds is not None:
            wait += min(retry_seconds, LONGEST_RETRY_AFTER_SECONDS)
        with self._line.recovered:
            if not self._stopping.is_set():
                self._line.recovered.wait(wait)


class Courier(_Thread):
    """Carries one class of rows, oldest first."""

    def __init__(
        self,
        settings: GatewaySettings,
        platform: Platform,
        store: Store,
        line: Line,
        protected: bool,
    ) -> None:
        super().__init__("protected rows" if protected else "telemetry", platform, line)
        self._settings = settings
        self._path = f"/api/v1/gateways/{settings.gateway}/batch"
        self._gateway = settings.gateway
        self._store = store
        self._protected = protected
        self._limit = MOST_ROWS
        self._news = threading.Event()
        self._may_send = protected  # telemetry waits until the platform knows the nodes
        self._is_named = not protected  # the configuration was told out of turn, if need be
        self._alarmed_at = -REFUSED_ALARM_SECONDS
        self.on_damage: Callable[[], None] = lambda: None
        self.refused = 0

    def notice(self) -> None:
        """There are new rows."""
        self._news.set()

    def renew(self, settings: GatewaySettings) -> None:
        """Tell the farm as it is now; readings wait again until the platform knows it."""
        self._settings = settings
        self._may_send = self._protected

    def ask_to_stop(self) -> None:
        super().ask_to_stop()
        self._news.set()

    def _turn(self) -> None:
        """Send one batch, or wait for rows."""
        if not self._store.is_writable() or not self._is_introduced():
            self._stopping.wait(0.2 if self._store.is_writable() else 2.0)
            return
        self._news.clear()
        store_id, rows = self._store.rows(
            self._protected, self._limit, MOST_BYTES, self._platform.id
        )
        if not rows:
            self._limit = MOST_ROWS
            if self._news.wait(IDLE_SECONDS) and not self._protected:
                self._stopping.wait(LINGER_SECONDS)
            return
        damaged = [(row.id, "damaged_row", "changed on disk") for row in rows if not row.is_sound]
        if damaged:
            self._store.set_aside(store_id, self._protected, damaged)
            self._complain(damaged, {row.id: row.kind for row in rows})
            self.on_damage()
            return
        if not self._is_named:
            self._tell_configuration(store_id, rows[0])
        try:
            answer = self._link.post(self._path, batch_text(self._gateway, store_id, rows))
        except PlatformRefused as error:
            if error.status == 413 and len(rows) > 1:
                self._limit = len(rows) // 2
                return
            raise
        self._worked()
        if not self._strike_out(store_id, rows, answer):
            raise PlatformRefused(200, "the answer names no row of the batch")

    def _is_introduced(self) -> bool:
        if not self._may_send:
            self._may_send = not self._store.has_waiting("configuration", self._platform.id)
        return self._may_send

    def _tell_configuration(self, store_id: str, first: Row) -> None:
        """Tell a platform that may be new the farm first, when older rows come before that row.

        Once in a life of the process, as a row of number 0: a platform that knows a
        configuration of this gateway leaves its own as it is.
        """
        if first.kind != "configuration":
            row = Row(0, "configuration", configuration_row(self._settings))
            self._link.post(self._path, batch_text(self._gateway, store_id, [row]))
        self._is_named = True

    def _strike_out(self, store_id: str, rows: Sequence[Row], answer: dict[str, Any]) -> int:
        """Take out exactly the rows that the answer names; return how many it named."""
        kinds = {row.id: row.kind for row in rows}
        stored = [i for i in _list(answer.get("stored")) if type(i) is int and i in kinds]
        refused: list[tuple[int, str, str]] = []
        for entry in _list(answer.get("refused")):
            if isinstance(entry, dict) and type(entry.get("id")) is int and entry["id"] in kinds:
                code, detail = str(entry.get("code"))[:100], str(entry.get("detail"))[:500]
                refused.append((entry["id"], code, detail))
        if stored or refused:
            self._store.named(store_id, self._protected, stored, refused, self._platform.id)
        if refused:
            self._complain(refused, kinds)
        return len(stored) + len(refused)

    def _complain(self, refused: Sequence[tuple[int, str, str]], kinds: dict[int, str]) -> None:
        """Rows that the platform refused are kept aside; say so, in an alarm now and then."""
        self.refused += len(refused)
        number, code, detail = refused[0]
        now = time.monotonic()
        if now - self._alarmed_at < REFUSED_ALARM_SECONDS:
            return
        self._alarmed_at = now
        log.error(
            "%d rows were refused by the platform or damaged on the disk, and are set aside; "
            "the first: %s %d (%s: %s)",
            *(len(refused), kinds[number], number, code, detail),
        )
        if kinds[number] != "alarm":  # a refused alarm must not raise the next
            self._store.alarm_soon("rows_refused", {"count": len(refused), "code": code}, {})


def batch_text(gateway: str, store_id: str, rows: Sequence[Row]) -> bytes:
    """Write a batch; the rows' bodies are JSON objects already."""
    head = b'{"gateway":"%s","store":"%s","rows":[' % (gateway.encode(), store_id.encode())
    return head + b",".join(b'{"id":%d,%s' % (row.id, row.body[1:]) for row in rows) + b"]}"


class Poller(_Thread):
    """Keeps a long poll open and hands verified commands to ``order``."""

    def __init__(
        self,
        settings: GatewaySettings,
        platform: Platform,
        store: Store,
        line: Line,
        order: Order,
    ) -> None:
        super().__init__("the poll for commands", platform, line)
        self._settings = settings
        self._store = store
        self._order = order
        self.refused = self.carried_out = 0
        self._heard: list[str] = []

    def _turn(self) -> None:
        poll = secrets.token_hex(16)
        asked_at = boottime()
        answer = self._link.get(
            f"/api/v1/gateways/{self._settings.gateway}/commands"
            f"?poll={poll}&wait={POLL_WAIT_SECONDS}{''.join(self._heard)}"
        )
        self._heard.clear()
        offered = answer.get("commands")
        if not isinstance(offered, list):
            raise PlatformRefused(200, "the answer to the poll holds no list of commands")
        self._worked()
        for command in offered[:100]:
            self._take(command, poll, asked_at)
        if boottime() - asked_at < 0.5:  # a platform that does not wait is not asked in a circle
            self._stopping.wait(0.05 if offered else 1.0)

    def _take(self, offered: Any, poll: str, asked_at: float) -> None:
        try:
            command = verify(
                offered,
                key=self._platform.key,
                gateway=self._settings.gateway,
                poll=poll,
                waited_seconds=boottime() - asked_at,
            )
        except CommandRefused as error:
            self._refuse(error)
            return
        given = Given(self._platform.id, given_after(command, asked_at, boottime()))
        outcome = self._order(command, given)
        self.carried_out += 1
        log.info(
            "command %s (%s, by %s): %s %s",
            *(command["id"], command.get("do"), command.get("by")),
            *(outcome.get("state"), outcome.get("code")),
        )
        self._remember(outcome)
        self._say(outcome)

    def _remember(self, outcome: dict[str, Any]) -> None:
        """Let the next poll tell it too: its row waits while the platform cannot store."""
        words = (str(outcome.get(name) or "") for name in ("id", "state", "code"))
        self._heard.append(f"&heard={quote('.'.join(words))}")
        del self._heard[:-MOST_HEARD]

    def _refuse(self, error: CommandRefused) -> None:
        """Say no, and write it down; an id that was carried out keeps its true outcome."""
        self.refused += 1
        log.error("a command was refused as %s: %s (%s)", error.code, error, error.command_id)
        if error.command_id is None or self._store.knows_command(error.command_id):
            return
        if error.code == "forged" and self.refused > MOST_FORGED_OUTCOMES:
            return
        outcome = {
            "id": error.command_id,
            "state": "refused",
            "code": error.code,
            "values": error.values,
            "at": int(time.time()),
        }
        self._store.record("command", outcome)
        self._say(outcome)

    def _say(self, outcome: dict[str, Any]) -> None:
        """Tell an outcome that the disk does not take, so that people do not wait in vain.

        Its row is sent again when the disk takes it, which changes nothing.
        """
        if self._store.is_writable():
            return
        row = Row(0, "command", as_json({"kind": "command", "command": outcome}))
        gateway, store_id = self._settings.gateway, self._store.report()["store"]
        try:
            self._link.post(
                f"/api/v1/gateways/{gateway}/batch",
                batch_text(gateway, store_id or NO_STORE, [row]),
            )
        except PlatformRefused as error:
            log.warning("the platform did not take an outcome from memory: %s", error)


def given_after(command: dict[str, Any], asked_at: float, now: float) -> float:
    """Return a moment of the steady clock before which the command was surely not given.

    The platform says how long it had held the poll when it answered (``held``) and how old the
    command was then (``age``). What the way took is unknown, so the poll may have arrived at
    once: the moment is never too late. No clock of the platform need be right.
    """
    answered_at = min(asked_at + _number(command.get("held"), 0.0), now)
    return answered_at - _number(command.get("age"), AGELESS_SECONDS) - AGE_ROUNDING_SECONDS


class Conversation:
    """The three threads of one platform together."""

    def __init__(
        self, settings: GatewaySettings, platform: Platform, store: Store, order: Order
    ) -> None:
        is_one_of_two = len(settings.destinations) > 1
        self.platform = platform
        self.line = Line(platform.called if is_one_of_two else "")
        self.urgent = Courier(settings, platform, store, self.line, protected=True)
        self._telemetry = Courier(settings, platform, store, self.line, protected=False)
        self._poller = Poller(settings, platform, store, self.line, order)
        self._threads = (self.urgent, self._telemetry, self._poller)

    def start(self) -> None:
        """Begin to send and to ask."""
        for thread in self._threads:
            thread.start()

    def ask_to_stop(self) -> None:
        """Let no thread begin anything new."""
        for thread in self._threads:
            thread.ask_to_stop()

    def end(self, until: float) -> None:
        """Wait for answers that are under way, at most until a moment of the monotonic clock."""
        self._poller.end(0.0)  # it may wait for twenty seconds
        for thread in (self.urgent, self._telemetry):
            thread.end(max(0.0, until - time.monotonic()))

    def renew(self, settings: GatewaySettings) -> None:
        """The configuration has changed; its row is in the outbox."""
        self.urgent.renew(settings)
        self._telemetry.renew(settings)

    def notice(self, protected: bool) -> None:
        """There are new rows."""
        if protected:
            self.urgent.notice()
        self._telemetry.notice()

    def report(self) -> dict[str, Any]:
        """Say how the conversation goes, in plain values."""
        return {
            "reachable_since": self.line.up_since,
            "trouble": self.line.trouble,
            "rows_refused": self.urgent.refused + self._telemetry.refused,
            "commands": self._poller.carried_out,
            "commands_refused": self._poller.refused,
        }


class Uplink:
    """All conversations together."""

    def __init__(self, settings: GatewaySettings, store: Store, order: Order) -> None:
        self._settings = settings
        self._store = store
        self.conversations = [
            Conversation(settings, platform, store, order) for platform in settings.destinations
        ]
        for conversation in self.conversations:
            # Without the configuration a platform takes no row that names a zone.
            conversation.urgent.on_damage = self.introduce
        store.on_rows = self._notice

    def introduce(self) -> None:
        """Record the configuration, before anything is sent: other rows refer to it.

        At each start, so that a platform that lost its records learns the farm anew; once only
        while none has taken it yet.
        """
        text = as_json(configuration_of(self._settings)).decode()
        if self._store.state("configuration") == text and all(
            self._store.has_waiting("configuration", c.platform.id) for c in self.conversations
        ):
            return
        self._store.set_state("configuration", text)
        self._store.record("configuration", configuration_of(self._settings))

    def renew(self, settings: GatewaySettings) -> None:
        """Tell the platforms of new stations."""
        self._settings = settings
        self.introduce()
        for conversation in self.conversations:
            conversation.renew(settings)

    def start(self) -> None:
        """Begin to send and to ask."""
        for conversation in self.conversations:
            conversation.start()

    def stop(self, patience_seconds: float = 1.0) -> None:
        """End the threads; what they did not finish is sent after the next start."""
        until = time.monotonic() + patience_seconds
        for conversation in self.conversations:
            conversation.ask_to_stop()
        for conversation in self.conversations:
            conversation.end(until)

    def _notice(self, protected: bool) -> None:
        for conversation in self.conversations:
            conversation.notice(protected)

    def report(self) -> dict[str, Any]:
        """Say how the conversations go; those of the first platform at the top."""
        return {
            **self.conversations[0].report(),
            "destinations": {
                conversation.platform.id: {
                    "name": conversation.platform.called,
                    "waiting": self._store.waiting(conversation.platform.id),
                    **conversation.report(),
                }
                for conversation in self.conversations
            },
        }


def configuration_of(settings: GatewaySettings) -> dict[str, Any]:
    """Return what the platform must know of the farm: no key, and nothing of the bus."""
    nodes = [asdict(node) for node in settings.nodes]
    for node in nodes:
        del node["sensor"], node["key"]
    return {
        "name": settings.name,
        "simulated": settings.simulated,
        "farms": [asdict(farm) for farm in settings.farms],
        "greenhouses": [asdict(house) for house in settings.greenhouses],
        "sources": [source.id for source in settings.sources],
        "nodes": [*nodes, asdict(settings.bus_node) | {"greenhouse": None, "zone": None}],
    }


def configuration_row(settings: GatewaySettings) -> bytes:
    """Return the configuration as the body of a row."""
    return as_json({"kind": "configuration", "configuration": configuration_of(settings)})


def _number(found: Any, otherwise: float) -> float:
    """Read a number of seconds that a platform tells; what is none is as if it were not told."""
    good = type(found) in (int, float) and 0 <= found < 1e9  # not: NaN
    return float(found) if good else otherwise


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []
