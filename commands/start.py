"""One start of the whole house: every room in the order in which they need each other.

A room that cannot start is left out with its reason, and the others go on where they can: the
farm's water does not stop because the platform's file is damaged. Lays down 30 past days and the
demo's lots at the first start that has all it needs for that, and writes ``demo.json``.
"""

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nongso.commands import apart, inspection
from nongso.commands.answers import Answers
from nongso.commands.control import ControlSocket
from nongso.commands.errors import CommandError
from nongso.commands.house import GATEWAY, House
from nongso.commands.jsonfile import Unreadable, read_object, write_private
from nongso.commands.ports import Ports, inner_url
from nongso.commands.processes import Household, Recipe, Remedy
from nongso.gateway.simulated.aside import set_aside

if TYPE_CHECKING:  # rooms are imported when they are started
    from nongso.gateway.simulated.history import Lived

READY_SECONDS = 60
RETRY_SECONDS = 30
HISTORY_DAYS = 30
PAST = "the past days"
HOPELESS_FALLS = 3  # a part that falls so often while it is waited for is not waited for longer
RESET_STATUS = 3  # of a simulated board that resets itself (gateway/simulated/board/machine.py)
_CRASHES = (-6, -7, -11)  # aborted, bus error, segmentation fault


@dataclass(frozen=True)
class Wishes:
    """What the user asked for on the command line."""

    data: Path
    port: int = 8080
    speed: float = 1.0
    host: str = "127.0.0.1"
    url: str | None = None


class Stopped(Exception):
    """The user asked to stop while the system was still coming up."""


def _platform_prepared(
    settings_file: Path, gateway_key: str, kept: dict[str, Any]
) -> dict[str, Any]:
    from nongso.platform import demo, migrations, settings
    from nongso.platform.traceability.epcis import indexing

    loaded = settings.load(settings_file)
    migrations.upgrade(loaded)
    with migrations.current(loaded) as records:
        indexing.catch_up(records)
    return demo.prepare(loaded, GATEWAY, gateway_key, kept=kept)


def _lots_laid(settings_file: Path) -> None:
    from nongso.platform import settings
    from nongso.platform.diary import demo as diaries
    from nongso.platform.traceability import demo

    loaded = settings.load(settings_file)
    demo.lay_down(loaded)
    diaries.lay_down(loaded, "nguoitrong")


class Start:
    """One start of the house."""

    def __init__(
        self,
        house: House,
        ports: Ports,
        wishes: Wishes,
        household: Household,
        say: Callable[[str], None],
        is_to_stop: Callable[[], bool],
    ) -> None:
        self.house = house
        self.ports = ports
        self.wishes = wishes
        self.household = household
        self.say = say
        self.is_to_stop = is_to_stop
        self._control: ControlSocket | None = None
        self._damaged: set[Path] = set()
        self.url = wishes.url or inner_url(wishes.host, ports.platform)
        self.inner_url = inner_url(wishes.host, ports.platform)
        self.answers = Answers(ports, self.inner_url)
        self.accounts: dict[str, Any] | None = None  # until demo.json has been read
        self.left_out: dict[str, str] = {}
        self._parts: dict[str, Callable[[], None]] = {
            "platform": self._start_platform,
            "broker": self._start_broker,
            "farm": self._start_farm,
            "valves": self._start_valves,
            "gateway": self._start_gateway,
            **{
                f"node-{node['slug']}": partial(self._start_node, node["slug"])
                for node in house.simulated_nodes()
            },
        }
        self._retry_at = 0.0
        self._demo_trouble = ""
        self._noted: set[str] = set()

    def look_over(self) -> None:
        """Look at what lies in the folder before anything is begun in it."""
        lived_in = bool(self.house.identity["history_laid"])
        inspection.look_over(self.house.folder, lived_in=lived_in, say=self.say)
        self.accounts = self._kept_accounts(lived_in)
        self._damaged = inspection.damaged_ones(self.house.folder)

    def bring_up(self, control: ControlSocket) -> None:
        """Start everything that can be started, and say what could not."""
        began = time.monotonic()
        self._control = control
        first = not self.house.identity["history_laid"]
        for part in ("platform", "broker"):
            self._try(part, self._parts[part])
        lived: Lived | None = None
        if first:
            lived = self._try(PAST, self._live_past)
            self._try("gateway", self._start_gateway)
            self._try(PAST, self._lay_history, lived)
        for part in self._parts:
            if part not in self.household.children:
                self._try(part, self._parts[part])
        self._wait_for_readings()
        if lived is not None:
            self._try(PAST, self._finish_history, lived)
        self.write_demo()
        for file in sorted(inspection.damaged_ones(self.house.folder) - self._damaged):
            self.say(f"WARNING: {file.parent.name} has set aside what was damaged: {file}")
        self._sum_up(time.monotonic() - began)
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def retry(self) -> None:
        """Try again to start what was left out, every now and then: files are mended, disks freed.

        What has a process is tended by the household.
        """
        if time.monotonic() < self._retry_at:
            return
        for part, begin in self._parts.items():
            before = self.left_out.get(part)
            if before is None or part in self.household.children:
                continue
            del self.left_out[part]
            self._try(part, begin, said=before)
            if part in self.household.children:
                self.say(f"{part} could be started now.")
                self.write_demo()
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _sum_up(self, seconds: float) -> None:
        trouble = dict(self.left_out)
        for name, child in self.household.children.items():
            if child.trouble and (child.pid is None or child.falls > 1):
                trouble.setdefault(name, child.trouble)
        if trouble:
            self.say(f"Started after {seconds:.0f} s, but NOT COMPLETE:")
            for name, why in trouble.items():
                self.say(f"  {name}: {why}")
        else:
            self.say(f"Ready after {seconds:.0f} s.")
        if "platform" not in trouble:
            self.say(f"  Open      {self.url}")
            self.say(f"  Log in    with the accounts in {self.house.path('demo.json')}")
        self.say("  The farm is SIMULATED: every reading says so. Stop with Ctrl-C.")

    # --- going on without ------------------------------------------------------

    def _try(
        self, part: str, work: Callable[..., Any], *arguments: Any, said: str | None = None
    ) -> Any:
        """Do a piece of work of a part; when it fails, leave the part out and return ``None``.

        The reason is said, unless it is the one that was ``said`` before.
        """
        if part in self.left_out:
            return None
        try:
            return work(*arguments)
        except Stopped:
            raise
        except Exception as e:  # whatever it is, the others must go on
            self.left_out[part] = why = apart.reason(e)
            if why != said:
                self.say(f"WARNING: going on without {part}. {why}")
            return None

    def _meanwhile(self) -> None:
        """Whatever takes long calls this: it tends the processes and hears the user."""
        if self.is_to_stop():
            raise Stopped
        changed = self.household.tend()
        if self._control is not None and (self._control.wait(0) or changed):
            self.write_demo()

    def _wait(self, part: str, what: str, is_there: Callable[[], bool]) -> None:
        """Wait until something answers. Raises ``CommandError`` with the part's last words."""
        deadline = time.monotonic() + READY_SECONDS
        child = self.household.children.get(part)
        while not is_there():
            self._meanwhile()
            if child is not None and child.held_until is not None:
                raise CommandError("it is held by 'nongso demo stop'.")
            if child is not None and child.falls >= HOPELESS_FALLS:
                raise CommandError(f"It {child.trouble}")
            if time.monotonic() > deadline:
                words = child.last_words() if child is not None else ""
                raise CommandError(
                    f"Waited {READY_SECONDS} s in vain for {what}. "
                    + (f"Its last words: {words} " if words else "")
                    + f"(All words are in {self.house.path('logs')})"
                )
            time.sleep(0.1)

    # --- the rooms, one after the other --------------------------------------

    def _start_platform(self) -> None:
        lived_in = bool(self.house.identity["history_laid"])
        trouble = inspection.database_trouble(self.house.folder, lived_in=lived_in)
        if trouble is not None:
            raise CommandError(trouble)
        settings = self._platform_file()
        self.say("Preparing the platform's database…")
        try:
            self.accounts = apart.do(
                _platform_prepared,
                settings,
                self.house.identity["gateway_key"],
                self.accounts,
                log=self.house.path("logs", "platform.log"),
                meanwhile=self._meanwhile,
            )
        except CommandError as e:
            raise CommandError(
                f"{e} What is in {settings.parent} is left as it is: mend that, or put the last "
                f"backup in its place. It is tried again every {RETRY_SECONDS} s; meanwhile the "
                "farm goes on, and its readings wait in the gateway."
            ) from e
        # At once: a password that is made now must not be lost if the rest fails.
        self.write_demo()
        self._nongso("platform", "platform", "run", "--settings", str(settings))

    def _platform_file(self) -> Path:
        return self.house.write_platform(self.ports, self.wishes.host, self.url)

    def _farm_file(self) -> Path:
        return self.house.write_farm(self.ports, self.wishes.speed)

    def _gateway_file(self) -> Path:
        return self.house.write_gateway(self.ports, self.inner_url, self.wishes.speed)

    def _kept_accounts(self, lived_in: bool) -> dict[str, Any]:
        """Passwords and tokens of an earlier start; a damaged file is kept aside."""
        file = self.house.path("demo.json")
        try:
            accounts = read_object(file).get("accounts")
            if not isinstance(accounts, dict) or not all(map(_is_account, accounts.values())):
                raise Unreadable("it holds no accounts")
            return accounts
        except FileNotFoundError:
            if lived_in:
                self.say(
                    f"WARNING: {file} is missing. The demo's people get new passwords and "
                    "tokens; whoever is logged in must log in again."
                )
        except Unreadable as e:
            try:
                kept = f"It is kept as {set_aside(file).name}"
            except OSError as error:
                kept = f"It cannot be set aside ({error.strerror})"
            self.say(
                f"WARNING: {file} was damaged ({e}). {kept}. The demo's people get new passwords "
                "and tokens; whoever is logged in must log in again."
            )
        return {}

    def _start_broker(self) -> None:
        from nongso.gateway import broker

        folder = self.house.path("broker")
        admitted = self.house.admitted()
        simulated = self.house.simulated_nodes()
        gone = {n["slug"] for n in self.house.nodes()} - {n["slug"] for n in simulated}
        users = {u: word for u, word in self.house.identity["broker"].items() if u not in gone}
        nodes = [*simulated, self.house.bus_node()]
        broker.write_config(folder, self.ports.broker, users, nodes, admitted=admitted)
        if broker.find_mosquitto() is not None:
            self._start("broker", broker.command(folder), remedy=_broker_remedy(folder))
        else:
            self.say(
                "WARNING: Mosquitto is not installed, so an embedded broker is used. It can drop "
                "messages that it has acknowledged; nodes resend until the gateway confirms, so "
                "nothing is lost, but it is slow. To install: apt install mosquitto"
            )
            self._nongso("broker", "farm", "broker", "--folder", str(folder))
        self._wait("broker", "the broker", lambda: broker.answers(self.ports.broker))

    def _start_gateway(self) -> None:
        self._nongso("gateway", "gateway", "run", "--settings", str(self._gateway_file()))
        if "broker" not in self.left_out:
            self._wait("gateway", "the gateway", self.answers.gateway_is_connected)

    def _start_farm(self) -> None:
        self._nongso("farm", "farm", "run", "--settings", str(self._farm_file()))
        # Supervisor and nodes would begin with complaints about a farm that is not there yet.
        self._wait("farm", "the simulated farm", self.answers.farm_answers)

    def _start_valves(self) -> None:
        self._nongso("valves", "gateway", "valves", "--settings", str(self._gateway_file()))

    def _start_node(self, slug: str) -> None:
        from nongso.gateway.simulated import boards

        folder = self.house.write_node(slug, self.ports)
        plan = boards.launch_plan(folder)
        self._start(f"node-{slug}", plan.argv, folder, plan.env, _node_remedy(slug))
        if plan.note and plan.note not in self._noted:
            self._noted.add(plan.note)
            self.say("  " + plan.note)

    def _wait_for_readings(self) -> None:
        """Readings come through every part: with one missing there is nothing to wait for."""
        for part in ("broker", "gateway", "farm", "platform"):
            if part in self.left_out:
                return
        if not any(name.startswith("node-") for name in self.household.children):
            return
        assert self.accounts is not None
        token = self.accounts["farmer"]["token"]
        self._try(
            "fresh readings",
            lambda: self._wait(
                "platform",
                "fresh readings of every greenhouse",
                lambda: self.answers.has_fresh_readings(token),
            ),
        )

    # --- the past, at the first start ----------------------------------------

    def _live_past(self) -> "Lived":
        """Live through the past, and credit the gateway's sources with its water."""
        from nongso.gateway import settings
        from nongso.gateway.simulated import history, past_account

        self.say(f"Laying down {HISTORY_DAYS} past days of the simulated farm…")
        lived = history.live(self._farm_file(), days=HISTORY_DAYS)
        past_account.lay_down(settings.load(self._gateway_file()), lived.past.waterings)
        return lived

    def _lay_history(self, lived: "Lived") -> None:
        from nongso.gateway.simulated import history

        for part in ("broker", "gateway", "farm", "platform"):
            if part in self.left_out:
                raise CommandError(f"They need the {part}. The next start lays them down.")
        tell = _progress("messages confirmed", self.say)

        def on_progress(done: int, total: int) -> None:
            tell(done, total)
            self._meanwhile()

        sent = history.publish(
            lived,
            self.house.broker(self.ports, "demo"),
            on_progress=on_progress,
        )
        self.say(
            f"  {sent.messages} messages with {sent.readings} readings are on the gateway's disk."
        )

    def _finish_history(self, lived: "Lived") -> None:
        from nongso.gateway.simulated import past_runs

        for part in ("platform", "fresh readings"):
            if part in self.left_out:
                raise CommandError(f"They need the {part}. The next start lays them down.")
        self._wait("gateway", "the past days at the platform", self.answers.has_drained)
        past_runs.tell(
            lived.past.waterings,
            self.house.identity["seed"],
            GATEWAY,
            self.inner_url,
            self.house.identity["gateway_key"],
        )
        self.say("Laying down one lot of each kind, with labels…")
        apart.do(
            _lots_laid,
            self._platform_file(),
            log=self.house.path("logs", "platform.log"),
            meanwhile=self._meanwhile,
        )
        self.house.remember("history_laid", True)

    # --- doing -----------------------------------------------------------------

    def _start(
        self,
        name: str,
        argv: list[str],
        folder: Path | None = None,
        env: dict[str, str] | None = None,
        remedy: Remedy | None = None,
    ) -> None:
        log = self.house.path("logs", name + ".log")
        self.household.start(Recipe(name, argv, log, folder, env or {}, remedy))

    def _nongso(self, name: str, *arguments: str) -> None:
        self._start(name, [sys.executable, "-m", "nongso.commands", *arguments])

    def write_demo(self) -> None:
        """Write ``demo.json``: how a person or a script enters. A full disk is said once."""
        if self.accounts is None:
            return  # what is in the file is not known yet
        demo = {
            "url": self.url,
            "mqtt": self.house.broker(self.ports, "demo"),
            "modbus": {"host": "127.0.0.1", "port": self.ports.modbus, "unit": 1},
            "accounts": self.accounts,
            "status_url": f"http://127.0.0.1:{self.ports.status}",
            "processes": self.household.pids(),
        }
        try:
            write_private(self.house.path("demo.json"), demo)
            self._demo_trouble = ""
        except OSError as e:
            why = f"WARNING: {self.house.path('demo.json')} cannot be written. {apart.reason(e)}"
            if why != self._demo_trouble:
                self.say(why)
            self._demo_trouble = why


def _is_account(account: object) -> bool:
    return isinstance(account, dict) and all(
        isinstance(account.get(key), str) and account[key].isascii()
        for key in ("user", "password", "token")
    )


def _node_remedy(slug: str) -> Remedy:
    """A board that resets itself on purpose starts anew at once."""

    def remedy(status: int, words: str) -> str | None:
        return f"node-{slug} starts anew, as it wished." if status == RESET_STATUS else None

    return remedy


def _broker_remedy(folder: Path) -> Remedy:
    """Mosquitto does not start on sessions that it cannot read: it is given none."""

    def remedy(status: int, words: str) -> str | None:
        database = folder / "mosquitto.db"
        if database.exists() and ("database" in words or status in _CRASHES):
            return inspection.put_away_sessions(database, is_guess="database" not in words)
        return None

    return remedy


def _progress(what: str, say: Callable[[str], None]) -> Callable[[int, int], None]:
    """Return a function that reports ``done, total``, more finely on a terminal."""
    last = [-1]
    live = sys.stdout.isatty()

    def report(done: int, total: int) -> None:
        share = 100 * done // max(total, 1)
        step = share if live else share // 10
        if step == last[0]:
            return
        last[0] = step
        if live:
            end = "\n" if done >= total else ""
            with contextlib.suppress(OSError):  # the terminal may be closed meanwhile
                print(f"\r  {share:3d} % ({done} of {total} {what})", end=end, flush=True)
        else:
            say(f"  {share:3d} % ({done} of {total} {what})")

    return report
