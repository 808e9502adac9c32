"""Memory of each process of a running ``nongso up``, idle, and of the whole.

Counts proportional set size (PSS, /proc/<pid>/smaps_rollup): pages that processes share are
divided among them, so the sum is what the machine really gives. The gateway's resident set
(RSS) is printed too, since that is what people look at.
"""

import argparse
import json
import sys
from pathlib import Path

GATEWAY_MB = 64
WHOLE_MB = 500


def megabytes(pid: int, field: str) -> float:
    """Read one field of a process's memory roll-up."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"process {pid} has no {field}")


def family(pid: int) -> list[int]:
    """Return a process and all that it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("nongso-data"), help="data folder")
    folder = parser.parse_args().data
    try:
        processes = json.loads((folder / "demo.json").read_text())["processes"]
        parents = {
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
            for pid in processes.values()
        }
        own = int(parents.pop())  # nongso up itself
        rss = {n: sum(megabytes(p, "Rss") for p in family(pid)) for n, pid in processes.items()}
        rss["up"] = megabytes(own, "Rss")
    except (OSError, KeyError) as e:
        print(f"No nongso runs on {folder} ({e}). Start it with: make demo", file=sys.stderr)
        return 1
    pss = {n: sum(megabytes(p, "Pss") for p in family(pid)) for n, pid in processes.items()}
    pss["up"] = megabytes(own, "Pss")
    for name in rss:
        print(f"{name:12} {rss[name]:7.1f} MB RSS {pss[name]:7.1f} MB PSS")
    print(f"{'whole':12} {sum(rss.values()):7.1f} MB RSS {sum(pss.values()):7.1f} MB PSS")
    gateway, whole = rss["gateway"], sum(rss.values())
    print(f"gateway {gateway:.0f} MB (goal {GATEWAY_MB}), whole {whole:.0f} MB (goal {WHOLE_MB})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
