"""The data folder of ``nongso up``: its lock, its identity, and the settings file of each room.

Secrets and identities are made once (``nongso.commands.identity``); ports are chosen anew at each
start, so the rooms' settings files are written at each start too. ``docs/contracts.md`` sections
1, 2, 5 and 6 describe the files.
"""

import datetime
import errno
import fcntl
import hmac
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Self

from nongso.commands import identity
from nongso.commands.errors import CommandError
from nongso.commands.jsonfile import Unreadable, read_object, write_private
from nongso.commands.ports import Ports
from nongso.gateway.simulated.settings import TANK_LITRES
from nongso.gateway.simulated.waterworks import PUMP_L_PER_MIN, ZONE_L_PER_MIN_M2

GATEWAY = "binh-lu"
NODES = (
    # slug, farm, greenhouse, zone, dry and wet count of its soil probe
    ("tb-01", "tan-binh", "tan-binh-1", "tan-binh-1-k1", 2900, 1250),
    ("tb-02", "tan-binh", "tan-binh-1", "tan-binh-1-k2", 2860, 1190),
    ("hb-01", "hung-binh", "hung-binh-1", "hung-binh-1-k1", 2940, 1310),
    ("hb-02", "hung-binh", "hung-binh-1", "hung-binh-1-k2", 2880, 1220),
)
FARMS = [
    {"slug": "tan-binh", "name": "Bản Tân Bình"},
    {"slug": "hung-binh", "name": "Bản Hưng Bình"},
]
BUS_NODE = {"farm": "tan-binh", "slug": "binh-lu-bus"}
PUMP_COIL = 7
MAIN_COIL = 6
SAMPLE_SECONDS = 10
ZONES_AT_ONCE = 3  # of five, which together take more than the pump gives
STREAM_L_PER_MIN, MOST_STREAM_L_PER_MIN = 3.0, 60.0  # from the stream into the tank
SOURCE = "be-chua"
LITRES_PER_DAY = 60_000.0


def _zone(zone: str, name: str, coil: int, area_m2: int, mode: str) -> dict[str, Any]:
    return {
        "id": zone,
        "name": name,
        "coil": coil,
        "area_m2": area_m2,
        "mode": mode,
        "max_run_seconds": 3600,
        "max_day_seconds": 4 * 3600,
        "band": {"low": 40.0, "high": 55.0, "run_seconds": 120, "soak_seconds": 900},
    }


TOMATOES = {
    "crop": "ca-chua",
    "planted": "2026-10-01",  # fixed: an edited settings file would undo what people chose
    "soil": "nhieu-mun",
    "flow_l_per_min": 63.3,
}
GREENHOUSES: list[dict[str, Any]] = [
    {
        "slug": "tan-binh-1",
        "name": "Nhà màng Tân Bình 1",
        "farm": "tan-binh",
        "area_m2": 500,
        "zones": [
            _zone("tan-binh-1-k1", "Khu 1", 0, 240, "manual"),
            _zone("tan-binh-1-k2", "Khu 2", 1, 240, "band"),
        ],
    },
    {
        "slug": "hung-binh-1",
        "name": "Nhà màng Hưng Bình 1",
        "farm": "hung-binh",
        "area_m2": 400,
        "zones": [
            _zone("hung-binh-1-k1", "Khu 1", 2, 190, "advice") | {"balance": TOMATOES},
            _zone("hung-binh-1-k2", "Khu 2", 3, 190, "band"),
            _zone("hung-binh-1-k3", "Khu 3", 4, 20, "off"),  # new: to be armed by its wet test
        ],
    },
]


STOP_INPUT = 0
HAND_INPUTS = {
    zone["id"]: number
    for number, zone in enumerate((z for g in GREENHOUSES for z in g["zones"]), 1)
}


def _flow(zone: dict[str, Any], speed: float) -> float:
    """What a wet test of this zone would measure."""
    return round(float(zone["area_m2"]) * ZONE_L_PER_MIN_M2 * speed, 1)


# What a house with its past days fills (measured: 8 MB), and some days' logs and readings.
FIRST_START_BYTES = 64 << 20
LITTLE_BYTES = 16 << 20
_LONGEST_SOCKET = 100  # of the 107 bytes that the address of a Unix socket holds

_ADVICE = {
    errno.EEXIST: "It is a file, not a folder: choose another with --data.",
    errno.ENOTDIR: "A file stands in its way: choose another with --data.",
    errno.ENOSPC: "Free some space, or choose another with --data.",
    errno.EDQUOT: "Free some space, or choose another with --data.",
    errno.EFBIG: "Free some space, or choose another with --data.",
    errno.EROFS: "The disk is read-only: choose another with --data.",
    errno.EACCES: "Change its rights (chown -R), or choose another with --data.",
    errno.EPERM: "Change its rights (chown -R), or choose another with --data.",
}


class House:
    """The data folder: its paths, its lock, its identity. ``say`` hears what was mended."""

    def __init__(self, folder: Path, say: Callable[[str], None] = lambda text: None) -> None:
        self.folder, self._say = folder.absolute(), say
        if len(os.fsencode(self.folder / "gateway" / "valves.sock")) > _LONGEST_SOCKET:
            raise CommandError(
                f"The path {self.folder} is too long for a Unix socket. Choose a shorter --data."
            )
        slugs = [node[0] for node in NODES]
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = self._take()
            try:
                self._check_writable()
                self.identity = identity.take_up(
                    self.folder, ["gateway", "demo", *slugs], [*slugs, BUS_NODE["slug"]], say
                )
                self._check_space(say)
            except BaseException:
                self._lock.close()
                raise
        except OSError as e:
            advice = _ADVICE.get(e.errno or 0, "Choose another with --data.")
            raise CommandError(
                f"The data folder {self.folder} cannot be written ({e.strerror}). {advice}"
            ) from e

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the folder, so that another may take it."""
        self._lock.close()

    def _take(self) -> IO[str]:
        file = self.folder / "lock"
        if os.path.lexists(file) and not file.is_file():
            raise CommandError(f"{file} is no ordinary file. Move it away; nongso makes its own.")
        lock = file.open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise CommandError(
                f"Another nongso runs on {self.folder}. End it first, or choose another --data."
            ) from None
        return lock

    def _check_writable(self) -> None:
        probe = self.folder / ".probe"
        try:
            probe.write_bytes(b"\0" * 65536)
        finally:
            probe.unlink(missing_ok=True)

    def _check_space(self, say: Callable[[str], None]) -> None:
        free = shutil.disk_usage(self.folder).free
        if not self.identity["history_laid"] and free < FIRST_START_BYTES:
            raise CommandError(
                f"The disk of {self.folder} has {free >> 20} MB left, and a first start needs "
                f"{FIRST_START_BYTES >> 20} MB. Free some space, or choose another with --data."
            )
        if free < LITTLE_BYTES:
            say(
                f"WARNING: the disk of {self.folder} has only {free >> 20} MB left. When it is "
                "full, readings wait in the nodes and the pages cannot record. Free some space."
            )

    def remember(self, key: str, value: object) -> None:
        """Keep a fact about this house for the next start."""
        self.identity[key] = value
        identity.keep(self.folder, self.identity)

    def path(self, *parts: str) -> Path:
        return self.folder.joinpath(*parts)

    # --- what each room is told ---------------------------------------------

    def bus_node(self) -> dict[str, str]:
        slug = str(BUS_NODE["slug"])
        return {**BUS_NODE, "eui64": self.identity["eui64"][slug]}

    def nodes(self) -> list[dict[str, Any]]:
        """Nodes as the gateway knows them, without their probes' calibration."""
        return [
            {
                "farm": farm,
                "slug": slug,
                "eui64": self.identity["eui64"][slug],
                "greenhouse": greenhouse,
                "zone": zone,
            }
            for slug, farm, greenhouse, zone, _, _ in NODES
        ]

    def admitted(self) -> list[dict[str, Any]]:
        """Stations that a claim code has let in since: new ones, and boards in another's place.

        The gateway has written them into its own settings; nobody else knows their keys.
        """
        ours = {node["eui64"] for node in self.nodes()}
        words = ("farm", "slug", "eui64", "greenhouse", "key")
        return [
            {word: node.get(word) for word in (*words, "zone")}
            for node in self._listed() or ()
            if all(isinstance(node.get(word), str) for word in words) and node["eui64"] not in ours
        ]

    def _listed(self) -> list[dict[str, Any]] | None:
        """The stations in the gateway's settings; ``None`` where these are still to be written."""
        file = self.path("gateway", "gateway.json")
        try:
            found = read_object(file).get("nodes")
        except FileNotFoundError:
            return None
        except Unreadable as why:
            self._say(
                f"WARNING: {file} was damaged ({why}) and is made anew. Stations that a claim "
                "code has let in must be let in again, and those taken out are back."
            )
            return None
        return [n for n in found if isinstance(n, dict)] if isinstance(found, list) else None

    def simulated_nodes(self) -> list[dict[str, Any]]:
        """Those of the first stations that nobody took out and no other board has replaced."""
        listed = self._listed()
        if listed is None:
            return self.nodes()
        boards = {node.get("eui64") for node in listed}
        return [node for node in self.nodes() if node["eui64"] in boards]

    def node_key(self, slug: str) -> str:
        """What signs updates for a node: derived, so that houses from before have it too."""
        password = self.identity["broker"][slug]
        return hmac.digest(password.encode(), b"nongso node key", "sha256").hex()

    def broker(self, ports: Ports, user: str) -> dict[str, Any]:
        """How one user reaches the broker."""
        password = self.identity["broker"][user]
        return {"host": "127.0.0.1", "port": ports.broker, "user": user, "password": password}

    def write_farm(self, ports: Ports, speed: float) -> Path:
        settings = {
            "seed": self.identity["seed"],
            "speed": speed,
            "latitude": 22.4,
            "longitude": 103.6,
            "modbus": {"host": "127.0.0.1", "port": ports.modbus},
            "chips": {"host": "127.0.0.1", "port": ports.chips},
            "edges": str(self.path("farm", "edges.jsonl")),
            "state": str(self.path("farm", "state.json")),
            "greenhouses": [
                {
                    **{k: g[k] for k in ("slug", "farm", "area_m2")},
                    "zones": [
                        {k: z[k] for k in ("id", "coil", "area_m2")}
                        | ({"band": z["band"]} if z["mode"] == "band" else {})
                        for z in g["zones"]
                    ],
                }
                for g in GREENHOUSES
            ],
            "nodes": [
                {**node, "dry": dry, "wet": wet}
                for node, (*_, dry, wet) in zip(self.nodes(), NODES, strict=True)
            ],
            "bus_node": self.bus_node(),
            "stations": str(self.path("gateway", "gateway.json")),
            "pump_coil": PUMP_COIL,
            "main_coil": MAIN_COIL,
            # So many times the litres flow in a minute of the wall clock, by which people water:
            # the tank is so much bigger. It fills faster too, or nobody would see it fill.
            "tank": {
                "litres": TANK_LITRES * speed,
                "stream_l_per_min": min(STREAM_L_PER_MIN * speed, MOST_STREAM_L_PER_MIN),
            },
            "switches": {"stop_input": STOP_INPUT, "hands": HAND_INPUTS},
        }
        return write_private(self.path("farm", "farm.json"), settings)

    def write_gateway(
        self, ports: Ports, platform_url: str | None = None, speed: float = 1.0
    ) -> Path:
        """Write the gateway's settings; it reaches the platform at ``platform_url``.

        At ``speed`` times the physics so many times the litres flow in a second, and plants drink
        so much faster: the rules are told by which clock.
        """
        settings = {
            "gateway": GATEWAY,
            "name": "Tủ điều khiển Bình Lư",
            "simulated": True,
            **({"farm_clock": {"since": int(time.time()), "speed": speed}} if speed != 1 else {}),
            "broker": self.broker(ports, "gateway"),
            "platform": {
                "url": platform_url or f"http://127.0.0.1:{ports.platform}",
                "key": self.identity["gateway_key"],
            },
            "status_port": ports.status,
            "bus": {
                "host": "127.0.0.1",
                "port": ports.modbus,
                "framing": "tcp",
                "lease_seconds": 4.0,
                "relay": {"unit": 1, "device": "relay-waveshare-rtu-8ch"},
                "meter": {"unit": 2, "device": "pulse-meter-sim"},
                "tank": {"unit": 3, "device": "level-qdy30a"},
                "pump_coil": PUMP_COIL,
                "main_coil": MAIN_COIL,
                "pump_l_per_min": PUMP_L_PER_MIN * speed,
                "zones_at_once": ZONES_AT_ONCE,
                "mains": {"meters": [{"unit": 4, "device": "meter-pzem-016"}]},
                "switches": {
                    "unit": 5,
                    "device": "io-waveshare-rtu-8ch",
                    "stop_input": STOP_INPUT,
                },
            },
            "sources": [self._source(speed)],
            "bus_node": self.bus_node(),
            "farms": FARMS,
            "greenhouses": [
                {
                    **g,
                    "zones": [
                        {
                            **z,
                            "flow_l_per_min": _flow(z, speed),
                            "source": SOURCE,
                            "hand_input": HAND_INPUTS[z["id"]],
                        }
                        for z in g["zones"]
                    ],
                }
                for g in GREENHOUSES
            ],
            "nodes": [
                *({**n, "key": self.node_key(n["slug"])} for n in self.simulated_nodes()),
                *self.admitted(),
            ],
            "stations": {"host": "127.0.0.1", "claim_port": 0, "broker_folder": "../broker"},
        }
        write_private(self.path("gateway", "stations", "new.json"), self._new_station(ports))
        return write_private(self.path("gateway", "gateway.json"), settings)

    @staticmethod
    def _new_station(ports: Ports) -> dict[str, Any]:
        """What a simulated board starts from that a claim code lets in."""
        return {
            "interval_seconds": SAMPLE_SECONDS,
            "samples_in_memory": 1,
            "sensors": [
                {"chip": "sht4x", "address": 0x44},
                {"chip": "bh1750", "address": 0x23},
                {"chip": "soil", "pin": 34, "dry": 2900, "wet": 1200},
            ],
            "board": {"simulated": f"127.0.0.1:{ports.chips}"},
        }

    def _source(self, speed: float) -> dict[str, Any]:
        """The simulated farm's tank, as a source that was tested some weeks ago."""
        tested = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=40)
        return {
            "id": SOURCE,
            "name": "Bể chứa Bình Lư",
            "kind": "tank",
            "level_node": self.bus_node()["eui64"],
            "lowest_percent": 10.0,
            "litres_per_day": LITRES_PER_DAY * speed,
            "tested_on": tested.isoformat(),
        }

    def write_platform(self, ports: Ports, host: str, url: str) -> Path:
        settings = {
            "folder": str(self.path("platform")),
            "host": host,
            "port": ports.platform,
            "url": url,
            "label_url": url,
            "secret": self.identity["platform_secret"],
            "threads": 12,
        }
        return write_private(self.path("platform", "platform.json"), settings)

    def write_node(self, slug: str, ports: Ports) -> Path:
        """Write a node's ``config.json``; return its folder."""
        farm, dry, wet = next((n[1], n[4], n[5]) for n in NODES if n[0] == slug)
        config = {
            "farm": farm,
            "node": slug,
            "eui64": self.identity["eui64"][slug],
            "broker": self.broker(ports, slug),
            "interval_seconds": SAMPLE_SECONDS,
            "samples_in_memory": 1,  # a PC's disk need not be spared
            "sensors": [
                {"chip": "sht4x", "address": 0x44},
                {"chip": "bh1750", "address": 0x23},
                {"chip": "soil", "pin": 34, "dry": dry, "wet": wet},
            ],
            "board": {"simulated": f"127.0.0.1:{ports.chips}"},
            "key": self.node_key(slug),
        }
        folder = self.path("nodes", slug)
        write_private(folder / "config.json", config)
        return folder
