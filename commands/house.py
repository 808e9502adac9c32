"""The data folder of ``nongso up``: identities kept for ever, and the settings file of each room.

Secrets and identities are made once and kept in ``house.json``; ports are chosen anew at each
start, so the rooms' settings files are written at each start too. ``docs/contracts.md`` sections
1, 2, 5 and 6 describe the files.
"""

import fcntl
import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from nongso.commands.errors import CommandError

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
            _zone("hung-binh-1-k1", "Khu 1", 2, 190, "manual"),
            _zone("hung-binh-1-k2", "Khu 2", 3, 190, "band"),
        ],
    },
]


@dataclass(frozen=True)
class Ports:
    """The loopback ports of one start; only the platform's is chosen by the user."""

    platform: int
    broker: int
    modbus: int
    chips: int
    status: int


class House:
    """The data folder: its paths, its lock, its identities."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        if len(str(self.folder / "gateway" / "valves.sock")) > 100:
            raise CommandError(
                f"The path {self.folder} is too long for a Unix socket. Choose a shorter --data."
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (self.folder / "lock").open("a")
            try:
                self._check_writable()
                self._take()
                self.identity = self._identity()
            except BaseException:
                self._lock.close()
                raise
        except OSError as e:
            raise CommandError(
                f"The data folder {self.folder} cannot be written ({e.strerror}). "
                "Free some space, change its rights, or choose another with --data."
            ) from e

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the folder, so that another may take it."""
        self._lock.close()

    def _take(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"Another nongso runs on {self.folder}. End it first, or choose another --data."
            ) from None

    def _check_writable(self) -> None:
        probe = self.folder / ".probe"
        probe.write_bytes(b"\0" * 65536)
        probe.unlink()

    def _identity(self) -> dict[str, Any]:
        file = self.folder / "house.json"
        if file.exists():
            try:
                kept: dict[str, Any] = json.loads(file.read_text())
            except ValueError as e:
                raise CommandError(
                    f"{file} is damaged ({e}). It holds the keys of this system: restore it from "
                    "a backup, or begin anew with another --data."
                ) from e
            return kept
        slugs = [n[0] for n in NODES]
        made = {
            "seed": secrets.randbelow(1 << 30),
            "broker": {user: secrets.token_urlsafe(18) for user in ["gateway", "demo", *slugs]},
            # 02: locally administered, so that no maker's number is taken
            "eui64": {s: "02" + secrets.token_hex(7) for s in [*slugs, str(BUS_NODE["slug"])]},
            "gateway_key": secrets.token_hex(32),
            "platform_secret": secrets.token_hex(32),
            "history_laid": False,
        }
        write_private(file, made)
        return made

    def remember(self, key: str, value: object) -> None:
        """Keep a fact about this house for the next start."""
        self.identity[key] = value
        write_private(self.folder / "house.json", self.identity)

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
                    "zones": [{k: z[k] for k in ("id", "coil", "area_m2")} for z in g["zones"]],
                }
                for g in GREENHOUSES
            ],
            "nodes": [
                {**node, "dry": dry, "wet": wet}
                for node, (*_, dry, wet) in zip(self.nodes(), NODES, strict=True)
            ],
            "bus_node": self.bus_node(),
            "pump_coil": PUMP_COIL,
            "main_coil": MAIN_COIL,
        }
        return write_private(self.path("farm", "farm.json"), settings)

    def write_gateway(self, ports: Ports) -> Path:
        settings = {
            "gateway": GATEWAY,
            "name": "Tủ điều khiển Bình Lư",
            "simulated": True,
            "broker": self.broker(ports, "gateway"),
            "platform": {
                "url": f"http://127.0.0.1:{ports.platform}",
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
            },
            "bus_node": self.bus_node(),
            "farms": FARMS,
            "greenhouses": GREENHOUSES,
            "nodes": self.nodes(),
        }
        return write_private(self.path("gateway", "gateway.json"), settings)

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

    def write_nodes(self, ports: Ports) -> dict[str, Path]:
        """Write each node's ``config.json``; return the nodes' folders by slug."""
        folders = {}
        for slug, farm, _, _, dry, wet in NODES:
            config = {
                "farm": farm,
                "node": slug,
                "eui64": self.identity["eui64"][slug],
                "broker": self.broker(ports, slug),
                "interval_seconds": SAMPLE_SECONDS,
                "sensors": [
                    {"chip": "sht4x", "address": 0x44},
                    {"chip": "bh1750", "address": 0x23},
                    {"chip": "soil", "pin": 34, "dry": dry, "wet": wet},
                ],
                "board": {"simulated": f"127.0.0.1:{ports.chips}"},
            }
            folders[slug] = self.path("nodes", slug)
            write_private(folders[slug] / "config.json", config)
        return folders


def write_private(file: Path, content: object) -> Path:
    """Write JSON that only this user may read, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as f:
        json.dump(content, f, ensure_ascii=False, indent=1)
        f.flush()
        os.fsync(f.fileno())
    new.replace(file)
    return file


def free_ports(platform: int, host: str) -> Ports:
    """Choose free loopback ports. Raises ``CommandError`` if the platform's is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, platform))
        except OSError as e:
            raise CommandError(
                f"Port {platform} cannot be used ({e.strerror}). "
                "End the program that uses it, or choose another with --port."
            ) from e
    sockets = [socket.socket() for _ in range(4)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        broker, modbus, chips, status = (int(s.getsockname()[1]) for s in sockets)
    finally:
        for s in sockets:
            s.close()
    return Ports(platform, broker, modbus, chips, status)
