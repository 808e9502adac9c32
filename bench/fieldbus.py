"""The fieldbus: polls beside bare pymodbus and bare libmodbus, and which lies it believes.

Polling: the same seven registers of a soil probe from one server (libmodbus, in a process of its
own), asked in turn by our bus (which checks the answer and gives quantities of the farm), by
pymodbus' own client and by libmodbus through ctypes. Quote the ratios. Lies: frames made wrong in
every way, half of them with a valid check sum (``tests/fieldbus/liar.py`` says how); nothing wrong
may be believed and no error may be without a name. Needs Debian's ``libmodbus5``.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

# The liar and the door to libmodbus are the tests' own.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fieldbus"))

import liar
import libmodbus

DEVICE = "soil-7in1-cwt"
WORDS = (421, 0xFFF6, 1250, 68, 32, 37, 48)


def serve() -> None:
    """Run as a process of its own: a server with a soil probe, until its input ends."""
    server = libmodbus.Server(libmodbus.load())
    for n, word in enumerate(WORDS):
        server.map.registers[n] = word
    print(server.port, flush=True)
    sys.stdin.read()
    server.close()


def rate(ask: Callable[[], object], times: int) -> float:
    """Return how often a second it can be asked."""
    for _ in range(times // 10):
        ask()
    began = time.perf_counter()
    for _ in range(times):
        ask()
    return times / (time.perf_counter() - began)


def polls(times: int) -> dict[str, float]:
    """Return polls a second of each client, one server process each."""
    from pymodbus.client import ModbusTcpClient

    from nongso.gateway.devicefile import load_device
    from nongso.gateway.fieldbus import Bus

    probe = load_device(DEVICE)
    found = {}
    for name in ("ours", "pymodbus", "libmodbus"):
        process = subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            if name == "ours":
                bus = Bus("127.0.0.1", port)
                found[name] = rate(lambda: bus.quantities(1, probe), times)  # noqa: B023
                bus.close()
            elif name == "pymodbus":
                client = ModbusTcpClient("127.0.0.1", port=port)
                client.connect()
                found[name] = rate(
                    lambda: client.read_holding_registers(0, count=7, device_id=1),  # noqa: B023
                    times,
                )
                client.close()
            else:
                with libmodbus.Client(libmodbus.load(), port, 1) as bare:
                    found[name] = rate(lambda: bare.registers(0, 7), times)
        finally:
            process.communicate()
    return found


def lies(frames: int) -> bool:
    """Tell the bus that many lies in each framing; say whether none was believed."""
    good = True
    for framing in ("rtu", "tcp"):
        outcome = liar.run(frames, framing)
        words = ", ".join(f"{count:,} {name}" for name, count in sorted(outcome.answers.items()))
        sums = "valid check sums" if framing == "rtu" else "whole headers"
        print(
            f"{framing}: {outcome.asked:,} frames, {outcome.valid_sums:,} with {sums}:"
            f" {len(outcome.wrong)} wrong values believed, {len(outcome.uncaught)} errors without"
            f" a name; {outcome.believed:,} right answers taken, {words}"
        )
        for example in (outcome.wrong + outcome.uncaught)[:5]:
            print(f"  {example}")
        good = good and not outcome.wrong and not outcome.uncaught
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000, help="lies in each framing")
    parser.add_argument("--polls", type=int, default=3000, help="polls of each client a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.serve:
        serve()
        return 0
    if libmodbus.load() is None:
        print("Polling is not measured: libmodbus is missing (Debian: apt install libmodbus5).")
    else:
        rounds = [polls(wishes.polls) for _ in range(wishes.rounds)]
        middle = {n: statistics.median(r[n] for r in rounds) for n in rounds[0]}
        print(", ".join(f"{n} {found:,.0f} polls/s" for n, found in middle.items()))
        for bare in ("pymodbus", "libmodbus"):
            ratios = [r["ours"] / r[bare] for r in rounds]
            print(
                f"ours / bare {bare}: {statistics.median(ratios):.2f}"
                f" ({min(ratios):.2f} to {max(ratios):.2f})"
            )
    return 0 if lies(wishes.frames) else 1


if __name__ == "__main__":
    sys.exit(main())
