"""The fieldbus: polls beside bare pymodbus and bare libmodbus, and which lies it believes.

Polling: the same seven registers of a soil probe from a server (libmodbus, a process of its
own each), asked in turns by our bus (which checks the answer and gives quantities of the farm), by
pymodbus' own client and by libmodbus through ctypes. Quote the ratios. Lies: frames made wrong in
every way, half of them with a valid check sum (``tests/fieldbus/liar.py`` says how); nothing wrong
may be believed and no error may be without a name. Needs Debian's ``libmodbus5``.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# The liar and the door to libmodbus are the tests' own.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fieldbus"))

import liar
import libmodbus

A_SLICE = 20
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


@contextmanager
def server() -> Iterator[int]:
    """Run a server in a process of its own; gives its port."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.communicate()


def polls(slices: int, rounds: int) -> list[dict[str, float]]:
    """Return polls a second of each client in each round.

    They take turns, a slice each, and each one's fastest slice counts: what else the machine does
    meanwhile is no client's doing.
    """
    from pymodbus.client import ModbusTcpClient

    from nongso.gateway.devicefile import load_device
    from nongso.gateway.fieldbus import Bus

    probe, found = load_device(DEVICE), []
    with server() as first, server() as second, server() as third:
        bus, client = Bus("127.0.0.1", first), ModbusTcpClient("127.0.0.1", port=second)
        client.connect()
        with libmodbus.Client(libmodbus.load(), third, 1) as bare:
            asks: dict[str, Callable[[], object]] = {
                "ours": lambda: bus.quantities(1, probe),
                "pymodbus": lambda: client.read_holding_registers(0, count=7, device_id=1),
                "libmodbus": lambda: bare.registers(0, 7),
            }
            for _ in range(rounds):
                took: dict[str, list[float]] = {name: [] for name in asks}
                for _ in range(slices):
                    for name, ask in asks.items():
                        began = time.perf_counter()
                        for _ in range(A_SLICE):
                            ask()
                        took[name].append(time.perf_counter() - began)
                found.append({name: A_SLICE / min(times) for name, times in took.items()})
        client.close()
        bus.close()
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
    parser.add_argument("--slices", type=int, default=100, help="turns of each client a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.serve:
        serve()
        return 0
    if libmodbus.load() is None:
        print("Polling is not measured: libmodbus is missing (Debian: apt install libmodbus5).")
    else:
        rounds = polls(wishes.slices, wishes.rounds)
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
