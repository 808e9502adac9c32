"""The settings of a small farm with two zones, one probe, a meter and a tank."""

import json
from pathlib import Path
from typing import Any

from nongso.gateway.settings import GatewaySettings, load

PROBE, BUS_NODE = "0200000000000001", "0200000000000009"
BAND = {"low": 40.0, "high": 55.0, "run_seconds": 20, "soak_seconds": 100}


def settings_in(folder: Path, bus: dict[str, Any] | None = None, **zone: Any) -> GatewaySettings:
    words = {"max_run_seconds": 600, "max_day_seconds": 1200, "area_m2": 120, "band": BAND}
    k1 = words | {"id": "k1", "name": "Khu 1", "coil": 0, "mode": "manual"} | zone
    k2 = words | {"id": "k2", "name": "Khu 2", "coil": 1, "mode": "manual"}
    relay = {"unit": 1, "device": "relay-waveshare-rtu-8ch"}
    found = {
        "gateway": "binh-lu",
        "name": "Tủ điều khiển Bình Lư",
        "simulated": True,
        "broker": {"host": "127.0.0.1", "port": 1884, "user": "gateway", "password": "-"},
        "platform": {"url": "http://127.0.0.1:8080", "key": "k" * 43},
        "status_port": 8081,
        "bus": {
            "host": "127.0.0.1",
            "port": 5020,
            "framing": "tcp",
            "lease_seconds": 4.0,
            "relay": relay,
            "meter": {"unit": 2, "device": "pulse-meter-sim"},
            "tank": {"unit": 3, "device": "level-qdy30a"},
            "pump_coil": 7,
            "main_coil": 6,
            **(bus or {}),
        },
        "bus_node": {"farm": "tan-binh", "slug": "binh-lu-bus", "eui64": BUS_NODE},
        "farms": [{"slug": "tan-binh", "name": "Bản Tân Bình"}],
        "greenhouses": [
            {
                "slug": "tan-binh-1",
                "name": "Nhà màng Tân Bình 1",
                "farm": "tan-binh",
                "area_m2": 500,
                "zones": [k1, k2],
            }
        ],
        "nodes": [
            {
                "farm": "tan-binh",
                "slug": "tb-01",
                "eui64": PROBE,
                "greenhouse": "tan-binh-1",
                "zone": "k1",
            }
        ],
    }
    file = folder / "gateway.json"
    file.write_text(json.dumps(found))
    file.chmod(0o600)
    return load(file)
