"""All measurements, one after the other; each is also a script of its own with ``--help``."""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = (
    "ingest.py",
    "flood.py",
    "slow_disk.py",
    "backlog.py",
    "page.py",
    "servers.py",
    "scan.py",
    "labels.py",
    "memory.py",
    "telemetry.py",
    "alerts.py",
    "phone.py",
    "capture.py",
    "proof.py",
    "trace.py",
    "addresses.py",
    "public.py",
    "fieldbus.py",
    "rules.py",
    "node.py",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", choices=[*SCRIPTS, []], help="run just these")
    wanted = parser.parse_args().only or SCRIPTS
    worst = 0
    for script in wanted:
        print(f"--- {script}", flush=True)
        worst = max(worst, subprocess.run([sys.executable, HERE / script], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
