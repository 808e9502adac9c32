"""The gateway's parts that nodes talk to, the real ones, and versions to give to nodes."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

from tests.firmware.conftest import EUI64, FARM, NODE, free_port, until

from nongso.commands import node_rollout
from nongso.commands.node_version import Version, compiled
from nongso.gateway.inbox import Inbox
from nongso.gateway.settings import load
from nongso.gateway.simulated import boards
from nongso.gateway.store import Store
from nongso.gateway.updates import Updates

KEY = "5a" * 32
HANGS = "def main(slots):\n    while True:\n        pass\n"
CRASHES = "def main(slots):\n    raise ValueError('a mistake in the new version')\n"


def changed(source: str, folder: Path) -> Version:
    """A version whose ``run`` module is another one."""
    firmware = folder / "changed"
    shutil.copytree(boards.firmware_folder(), firmware, ignore=shutil.ignore_patterns("*.pyc"))
    (firmware / "run.py").write_text(source)
    return compiled(firmware)


class Shed:
    """The gateway's inbox, store and updates."""

    def __init__(self, folder: Path, broker_port: int, key: str = KEY) -> None:
        folder.mkdir(exist_ok=True)
        self.file = folder / "gateway.json"
        self.file.write_text(
            json.dumps(
                {
                    "gateway": "binh-lu",
                    "name": "Tủ điều khiển",
                    "broker": {
                        "host": "127.0.0.1",
                        "port": broker_port,
                        "user": "gateway",
                        "password": "x",
                    },
                    "platform": {"url": "http://127.0.0.1:9", "key": "k" * 40},
                    "status_port": free_port(),
                    "bus": {
                        "host": "127.0.0.1",
                        "port": 9,
                        "framing": "tcp",
                        "lease_seconds": 4.0,
                        "relay": {"unit": 1, "device": "relay-waveshare-rtu-8ch"},
                        "pump_coil": 7,
                        "main_coil": 6,
                    },
                    "bus_node": {"farm": FARM, "slug": "bus", "eui64": "02000000000000ff"},
                    "farms": [{"slug": FARM, "name": "Tân Bình"}],
                    "greenhouses": [
                        {
                            "slug": "tan-binh-1",
                            "name": "Nhà màng",
                            "farm": FARM,
                            "area_m2": 500,
                            "zones": [],
                        }
                    ],
                    "nodes": [
                        {
                            "farm": FARM,
                            "slug": NODE,
                            "eui64": EUI64,
                            "greenhouse": "tan-binh-1",
                            "key": key,
                        }
                    ],
                }
            )
        )
        self.file.chmod(0o600)
        self.settings = load(self.file)
        self.store = Store(self.settings.store_file)
        self.updates = Updates(self.settings, self.store, lambda t, m: self.inbox.say(t, m))
        self.inbox = Inbox(self.settings, self.store, self.updates.take)
        self.inbox.start()
        until(self.inbox.is_ready, "the gateway at the broker")

    def roll_out(self, version: Version, **more: Any) -> int:
        folder = self.settings.updates_folder
        number = node_rollout.lay_down(folder, version, time.time())
        node_rollout.want(folder, number, [NODE], bool(more.get("step_back")))
        return number

    def program(self) -> dict[str, Any]:
        """How the node stands, after a look at what is wanted."""
        self.updates.tick()
        return self.updates.report().get(NODE, {})

    def told(self) -> list[dict[str, Any]]:
        """What the platform will hear of the node's program, in order."""
        rows = [json.loads(row.body) for row in self.store.rows(False, 500, 1 << 20)[1]]
        return [row["program"] for row in rows if row["kind"] == "program"]

    def close(self) -> None:
        self.inbox.stop()
        self.store.close()
