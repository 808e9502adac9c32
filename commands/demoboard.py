"""``nongso demo board``: a new board for trying how a station is let in, without hardware.

It is the stations' own program, as a board that nobody has set up yet: with a number, the page on
which it is set up, and no name. It is there as long as the command runs; what it was given goes
with it, and its station falls silent.
"""

import json
import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from nongso.commands.errors import CommandError
from nongso.commands.jsonfile import Unreadable, read_object
from nongso.gateway.simulated import boards

REFUSED_SECONDS = 60  # an hour is too long for who wants to try it
STARTS_ANEW = 3  # status of a simulated board that resets itself


def run(data: Path, say: Callable[[str], None] = print) -> int:
    """Run a new board until Ctrl-C. Raises ``CommandError``."""
    url = _platform(data)
    mac = "02" + secrets.token_hex(5)
    number = f"{mac[:6]}fffe{mac[6:]}"
    port = _free_port()
    say(f"A new board: {number}. On a real one this would stand on its sticker:")
    say(f"  {url}/tram/{number}")
    password = "".join(secrets.choice("23456789") for _ in range(8))
    say(f"  Wi-Fi tram-do-{number[-4:]}, password {password} (here nobody asks for it)")
    say("Open that address (or 'Thêm trạm' on the stations' page) and get a code. Then type code")
    say("and address, with any name of a Wi-Fi, on the board's own page (instead of 192.168.4.1):")
    say(f"  http://127.0.0.1:{port}/")
    say(f"Taken out on its page, it opens that page again after {REFUSED_SECONDS} seconds.")
    say("Ctrl-C takes the board away; its station falls silent and can be removed on its page.")
    with tempfile.TemporaryDirectory(prefix="nongso-board-") as folder:
        setup = {"own_password": password, "refused_seconds": REFUSED_SECONDS}
        (Path(folder) / "config.json").write_text(json.dumps({"setup": setup}))
        plan = boards.launch_plan(Path(folder))
        env = os.environ | plan.env | {"NONGSO_MAC": mac, "NONGSO_SETUP_PORT": str(port)}
        status = STARTS_ANEW
        try:
            while status == STARTS_ANEW:
                status = subprocess.run(plan.argv, cwd=folder, env=env, check=False).returncode
        except KeyboardInterrupt:
            return 0
    if status > 0:
        raise CommandError(f"The board ended with status {status}; its last words stand above.")
    return 0


def _platform(data: Path) -> str:
    """The demo's address."""
    file = data / "demo.json"
    try:
        return str(read_object(file)["url"])
    except FileNotFoundError as e:
        raise CommandError(
            f"{file} is not there: start a demo first (make demo), or name its folder: --data DIR"
        ) from e
    except (Unreadable, KeyError, TypeError) as e:
        raise CommandError(f"{file} cannot be used ({e}). Start the demo again.") from e


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
