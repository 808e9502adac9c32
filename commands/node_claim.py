"""``nongso node claim``: lets one new board in that is set up over its own Wi-Fi page.

Prints a code, waits at most ten minutes for the board that knows it, and ends.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nongso.commands.errors import CommandError
from nongso.gateway import claims, enrolment, settings


def run(
    settings_file: Path,
    broker_folder: Path,
    place: enrolment.Place,
    *,
    config: dict[str, Any],
    address: str,
    broker_host: str,
    say: Callable[[str], None] = print,
) -> int:
    """Open the door and wait; returns the exit status. Raises ``CommandError``."""
    settings.load(settings_file)  # before anybody walks to the field
    host, _, port = address.partition(":")

    def let_in(eui64: str) -> dict[str, Any]:
        admitted = enrolment.admit(settings_file, broker_folder, place, eui64)
        return enrolment.config_of(admitted, config, broker_host)

    try:
        door = claims.Door(host, int(port or "8082"), let_in)
    except (OSError, ValueError, OverflowError) as error:
        raise CommandError(
            f"{address} cannot be listened on ({error}). Name this machine's address in the "
            "farm's network with --listen, like 192.168.1.10:8082."
        ) from None
    shown = f"{door.code[:5]}-{door.code[5:]}"
    say(f"Claim code:  {shown}   for {place.slug} of {place.farm}, once, within 10 minutes")
    say(f"Address:     {host}:{door.port}")
    say("Join the board's own Wi-Fi (tram-do-…) with a phone, open http://192.168.4.1, type both.")
    began = time.monotonic()
    said = [0]

    def look() -> None:
        minutes = int((time.monotonic() - began) / 60)
        if minutes > said[0]:
            said[0] = minutes
            say(f"  waiting, {10 - minutes} minutes left")

    door.wait(look)
    if door.trouble:
        raise CommandError(f"A board knew the code, but cannot be let in. {door.trouble}")
    if door.admitted is None:
        raise CommandError(
            "No board came with this code in time, or too many came with a wrong one. Ask for a "
            "new code with the same command."
        )
    told = enrolment.tell_broker(broker_folder)
    say(f"Let in: {place.slug} of {place.farm} ({door.admitted}).")
    if not told:
        say("Restart the broker, so that it reads its passwords anew.")
    say("A gateway that runs knows the node within a second.")
    return 0
