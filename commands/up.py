"""``nongso up``: the whole system on one machine, from the simulated soil to the shopper's page.

Starts every room as a process of its own in the order in which they need each other, lays down
30 past days and the demo's lots at the first start, writes ``demo.json``, then tends the
processes until it is told to stop. The farm is simulated, and it says so.
"""

import json
import multiprocessing
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from nongso.commands.control import ControlSocket
from nongso.commands.errors import CommandError
from nongso.commands.house import GATEWAY, House, Ports, free_ports, write_private
from nongso.commands.processes import Household, Recipe

if TYPE_CHECKING:  # rooms are imported when they are started
    from nongso.gateway.simulated.past import Watering

READY_SECONDS = 60
HISTORY_DAYS = 30


@dataclass(frozen=True)
class Wishes:
    """What the user asked for on the command line."""

    data: Path
    port: int = 8080
    speed: float = 1.0
    host: str = "127.0.0.1"
    url: str | None = None


def say(text: str) -> None:
    print(text, flush=True)


def run(wishes: Wishes) -> int:
    """Bring everything up, tend it, and end it. Returns the exit status."""
    with House(wishes.data) as house:
        _run(house, free_ports(wishes.port, wishes.host), wishes)
    say("Ended. All valves are closed; the data stay in " + str(house.folder))
    return 0


def _run(house: House, ports: Ports, wishes: Wishes) -> None:
    asked = _Asked()
    household = Household(say)
    control = None
    try:
        up = _Up(house, ports, wishes, household, asked)
        control = ControlSocket(house.path("up.sock"), household)
        up.bring_up()
        while not asked.to_stop:
            changed = control.wait(0.2)
            if household.tend() or changed:
                up.write_demo()
    except _Stopped:
        pass
    finally:
        if household.children:
            say("Ending: closing all valves, then every process…")
        if control is not None:
            control.close()
        household.end()


def apart(work: Callable[..., Any], *arguments: object) -> Any:
    """Do a piece of work in a process of its own, so that its memory goes with it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def _platform_prepared(
    settings_file: Path, gateway_key: str, kept: dict[str, Any]
) -> dict[str, Any]:
    from nongso.platform import demo, migrations, settings

    loaded = settings.load(settings_file)
    migrations.upgrade(loaded)
    return demo.prepare(loaded, GATEWAY, gateway_key, kept=kept)


def _lots_laid(settings_file: Path) -> None:
    from nongso.platform import settings
    from nongso.platform.traceability import demo

    demo.lay_down(settings.load(settings_file))


class _Stopped(Exception):
    """The user asked to stop while the system was still coming up."""


class _Asked:
    """Whether Ctrl-C or SIGTERM has come."""

    def __init__(self) -> None:
        self.to_stop = False
        signal.signal(signal.SIGINT, self._hear)
        signal.signal(signal.SIGTERM, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.to_stop = True


class _Up:
    """One start of the house."""

    def __init__(
        self, house: House, ports: Ports, wishes: Wishes, household: Household, asked: _Asked
    ) -> None:
        self.house = house
        self.ports = ports
        self.wishes = wishes
        self.household = household
        self.asked = asked
        self.url = wishes.url or f"http://127.0.0.1:{ports.platform}"
        self.accounts: dict[str, Any] = {}

    def bring_up(self) -> None:
        from nongso.gateway.simulated import past_runs

        began = time.monotonic()
        farm_file = self.house.write_farm(self.ports, self.wishes.speed)
        gateway_file = self.house.write_gateway(self.ports)
        platform_file = self.house.write_platform(self.ports, self.wishes.host, self.url)
        self._prepare_platform(platform_file)
        self._start_broker()
        self._nongso("platform", "platform", "run", "--settings", str(platform_file))
        first = not self.house.identity["history_laid"]
        waterings: list[Watering] = []
        if first:
            self._gateway(gateway_file)
            waterings = self._lay_history(farm_file)
        self._nongso("farm", "farm", "run", "--settings", str(farm_file))
        # Supervisor and nodes would begin with complaints about a farm that is not there yet.
        self._wait("the simulated farm", self._farm_answers)
        self._nongso("valves", "gateway", "valves", "--settings", str(gateway_file))
        if not first:
            self._gateway(gateway_file)
        self._start_nodes()
        self._wait("fresh readings of every greenhouse", self._has_fresh_readings)
        if first:
            self._wait("the past days at the platform", self._has_drained)
            past_runs.tell(
                waterings,
                self.house.identity["seed"],
                GATEWAY,
                f"http://127.0.0.1:{self.ports.platform}",
                self.house.identity["gateway_key"],
            )
            self._lay_lots(platform_file)
            self.house.remember("history_laid", True)
        self.write_demo()
        say(f"Ready after {time.monotonic() - began:.0f} s.")
        say(f"  Open      {self.url}")
        say(f"  Log in    with the accounts in {self.house.path('demo.json')}")
        say("  The farm is SIMULATED: every reading says so. Stop with Ctrl-C.")

    # --- the rooms, one after the other --------------------------------------

    def _prepare_platform(self, settings_file: Path) -> None:
        say("Preparing the platform's database…")
        key, kept = self.house.identity["gateway_key"], self._kept_accounts()
        self.accounts = apart(_platform_prepared, settings_file, key, kept)
        # At once: a password that is made now must not be lost if the rest fails.
        self.write_demo()

    def _kept_accounts(self) -> dict[str, Any]:
        try:
            kept = json.loads(self.house.path("demo.json").read_text())
            return dict(kept["accounts"])
        except (OSError, ValueError, KeyError):
            return {}

    def _start_broker(self) -> None:
        from nongso.gateway import broker

        folder = self.house.path("broker")
        users = self.house.identity["broker"]
        nodes = [*self.house.nodes(), self.house.bus_node()]
        broker.write_config(folder, self.ports.broker, users, nodes)
        if broker.find_mosquitto() is not None:
            self._start("broker", broker.command(folder))
        else:
            say(
                "WARNING: Mosquitto is not installed, so an embedded broker is used. It can drop "
                "messages that it has acknowledged; nodes resend until the gateway confirms, so "
                "nothing is lost, but it is slow. To install: apt install mosquitto"
            )
            self._nongso("broker", "farm", "broker", "--folder", str(folder))
        self._wait("the broker", lambda: broker.answers(self.ports.broker))

    def _gateway(self, settings_file: Path) -> None:
        self._nongso("gateway", "gateway", "run", "--settings", str(settings_file))
        self._wait("the gateway", self._gateway_is_connected)

    def _lay_history(self, farm_file: Path) -> list["Watering"]:
        from nongso.gateway.simulated import history

        say(f"Laying down {HISTORY_DAYS} past days of the simulated farm…")
        sent = history.publish(
            farm_file,
            self.house.broker(self.ports, "demo"),
            days=HISTORY_DAYS,
            on_progress=_progress("messages confirmed"),
        )
        say(f"  {sent.messages} messages with {sent.readings} readings are on the gateway's disk.")
        return sent.waterings

    def _start_nodes(self) -> None:
        from nongso.gateway.simulated import boards

        notes = set()
        for slug, folder in self.house.write_nodes(self.ports).items():
            plan = boards.launch_plan(folder)
            self._start(f"node-{slug}", plan.argv, folder, plan.env)
            notes.add(plan.note)
        for note in sorted(n for n in notes if n):
            say("  " + note)

    def _lay_lots(self, settings_file: Path) -> None:
        say("Laying down one lot of each kind, with labels…")
        apart(_lots_laid, settings_file)

    def _start(
        self,
        name: str,
        argv: list[str],
        folder: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        log = self.house.path("logs", name + ".log")
        self.household.start(Recipe(name, argv, log, folder, env or {}))

    def _nongso(self, name: str, *arguments: str) -> None:
        self._start(name, [sys.executable, "-m", "nongso.commands", *arguments])

    # --- is it there? ---------------------------------------------------------

    def _wait(self, what: str, is_there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not is_there():
            if self.asked.to_stop:
                raise _Stopped
            self.household.tend()
            if time.monotonic() > deadline:
                raise CommandError(
                    f"Waited {READY_SECONDS} s in vain for {what}. "
                    f"The processes' own words are in {self.house.path('logs')}"
                )
            time.sleep(0.1)

    def _status(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.ports.status}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as e:  # not healthy yet, but it says how it is
            found = json.load(e)
        except (OSError, ValueError):
            return {}
        return found

    def _farm_answers(self) -> bool:
        for port in (self.ports.modbus, self.ports.chips):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                return False
        return True

    def _gateway_is_connected(self) -> bool:
        return bool(self._status().get("broker_connected"))

    def _has_drained(self) -> bool:
        outbox = self._status().get("outbox")
        return isinstance(outbox, dict) and sum(outbox.values()) < 100

    def _has_fresh_readings(self) -> bool:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports.platform}/api/v1/greenhouses",
            headers={"Authorization": "Bearer " + self.accounts["farmer"]["token"]},
        )
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:
                greenhouses = json.load(answer)["greenhouses"]
        except (OSError, ValueError, KeyError):
            return False
        now = time.time()
        wanted = {"air_temperature", "air_humidity", "light", "soil_moisture"}
        fresh = [
            g
            for g in greenhouses
            if all(m in g["latest"] and now - g["latest"][m]["at"] < 60 for m in wanted)
        ]
        return len(fresh) >= 2

    def write_demo(self) -> None:
        """Write ``demo.json``: how a person or a script enters."""
        broker = self.house.broker(self.ports, "demo")
        write_private(
            self.house.path("demo.json"),
            {
                "url": self.url,
                "mqtt": broker,
                "modbus": {"host": "127.0.0.1", "port": self.ports.modbus, "unit": 1},
                "accounts": self.accounts,
                "status_url": f"http://127.0.0.1:{self.ports.status}",
                "processes": self.household.pids(),
            },
        )


def _progress(what: str) -> Callable[[int, int], None]:
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
            print(f"\r  {share:3d} % ({done} of {total} {what})", end=end, flush=True)
        else:
            print(f"  {share:3d} % ({done} of {total} {what})", flush=True)

    return report
