"""Close everything without a gateway: ask the supervisor, or write to the bus directly; unlock.

For a person at a terminal, and for the end of ``nongso up``. Needs no platform, broker or store.
"""

import sys
import time
from pathlib import Path

from nongso.gateway.errors import GatewayError
from nongso.gateway.settings import load
from nongso.gateway.valves import socketfile
from nongso.gateway.valves.client import SupervisorGone, SupervisorRefused, Valves
from nongso.gateway.valves.supervisor import AFTER_FAILURE_SECONDS, build

TRY_SECONDS = 10.0


def close_all(settings_file: Path) -> int:
    """Close every valve and the pump and read them back. Returns the exit status."""
    try:
        settings = load(settings_file)
        valves = Valves(settings.valves_socket)
        try:
            until = time.monotonic() + TRY_SECONDS
            answer = valves.stop()
            while answer["state"] != "closed" and time.monotonic() < until:
                time.sleep(AFTER_FAILURE_SECONDS)
                answer = valves.stop()
            if answer["state"] == "closed":
                print("The valve supervisor has closed everything and read it back.")
                return 0
            print("A valve does not close. Shut the water off by hand.", file=sys.stderr)
            return 1
        except (SupervisorGone, SupervisorRefused):
            print(
                "No valve supervisor answers; writing to the relay board at"
                f" {settings.bus.where} directly, for at most"
                f" {TRY_SECONDS:.0f} seconds.",
                flush=True,
            )
        finally:
            valves.close()
        with socketfile.hold(settings.valves_socket):  # so that none starts meanwhile
            work = build(settings)
            until = time.monotonic() + TRY_SECONDS
            while not work.plan.coils.is_ready and time.monotonic() < until:
                if not work.settle() or not work.plan.coils.is_ready:
                    time.sleep(AFTER_FAILURE_SECONDS)
            work.bus.close()
    except (GatewayError, OSError) as error:
        print(f"Nothing could be closed. {error}", file=sys.stderr)
        return 1
    if work.plan.coils.is_ready:
        print("Every coil of the relay board is off and was read back.")
        return 0
    print(f"The valves could not be closed. {work.error or 'A coil stays on.'}", file=sys.stderr)
    return 1


def unlock(settings_file: Path, zone: str) -> int:
    """Take the lock off a zone after a person has looked. Returns the exit status."""
    try:
        settings = load(settings_file)
        if zone not in settings.zones():
            there = ", ".join(settings.zones())
            print(f"There is no zone {zone!r:.60}; there are: {there}", file=sys.stderr)
            return 1
        valves = Valves(settings.valves_socket)
        try:
            answer = valves.unlock(zone)
        finally:
            valves.close()
    except GatewayError as error:
        print(f"Nothing was unlocked. {error}", file=sys.stderr)
        return 1
    if not answer["unlocked"]:
        why = (
            "The running supervisor does not know it: restart it."
            if answer.get("code") == "zone_unknown"
            else "Its valve still does not close."
        )
        print(f"{zone} stays locked. {why}", file=sys.stderr)
        return 1
    print(f"{zone} is unlocked. Watch its first run.")
    return 0
