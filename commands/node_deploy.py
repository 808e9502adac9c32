"""``nongso node deploy``: the program, its configuration and its keys onto a board, by cable.

How this works. The program is compiled, and what lies on the board already (SHA-256) is not
copied again: what the running slot has is copied on the board itself, the rest comes over the
cable into the slot that does not run. ``config.json`` is replaced in one step, and only then is
the new slot made the active one. So a cable that is pulled out at any moment leaves a board that
starts as before. Then the board starts anew, and its words are followed until the gateway has
acknowledged its first reading.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nongso.commands import node_sticker
from nongso.commands.errors import CommandError
from nongso.commands.node_board import Board, stopped
from nongso.commands.node_sticker import Sticker
from nongso.commands.node_version import STAYS, Version, compile_file, compiled
from nongso.gateway import enrolment

FIRST_WORD_SECONDS = 180.0
_ACKNOWLEDGED = "the gateway has acknowledged the first reading"
_CANNOT = "The node cannot start."
_TROUBLES = ("link to the broker:", "clock:", "sensor ")


@dataclass(frozen=True)
class Wishes:
    """What the user asked for."""

    port: str
    firmware: Path
    place: enrolment.Place
    config: dict[str, Any]  # what a new board starts from: sensors, pins, interval
    broker_host: str | None = None
    wifi: tuple[str, str] | None = None
    settings_file: Path | None = None
    broker_folder: Path | None = None
    ca_file: Path | None = None  # the authority of the broker's certificate; else the settings'
    new_keys: bool = False
    wait_seconds: float = FIRST_WORD_SECONDS


@dataclass(frozen=True)
class Done:
    """What a deployment did."""

    copied: int
    config_changed: bool
    slot: str
    was_heard: bool


def run(wishes: Wishes, say: Callable[[str], None] = print) -> Done:
    """Deploy to one board. Raises ``CommandError`` or an error of the gateway's room."""
    reach = _reach(wishes)  # a wrong word must be found before the old password ends
    say("Compiling…")
    version = compiled(wishes.firmware)
    with stopped(wishes.port) as board:
        say(f"The board on {wishes.port} listens: {board.ask('sys.implementation[2]')}.")
        config = _config(wishes, reach, board, say)
        slot, copied, is_new = _program(board, version, say)
        copied += _starters(board, wishes.firmware)
        changed = _write_config(board, config)
        if is_new:
            _activate(board, slot)
        if not (copied or is_new or changed):
            say("Nothing has changed; nothing was copied.")
        board.restart()
        say("The board starts anew; waiting for its first reading at the gateway…")
        heard = _follow(board, wishes.wait_seconds, say)
    return Done(copied, changed, slot, heard)


def prepare(
    port: str,
    firmware: Path,
    platform: str | None = None,
    say: Callable[[str], None] = print,
) -> Sticker:
    """Put the program alone on a board; return what its sticker says.

    It is set up later over its own page. Raises ``CommandError``.
    """
    say("Compiling…")
    version = compiled(firmware)
    with stopped(port) as board:
        config = _there(board)
        if config is not None and "broker" in config:
            raise CommandError(
                f"This board is the node {config.get('node')} of {config.get('farm')}. To give it "
                "away, remove its config.json first: mpremote rm :config.json"
            )
        slot, _, is_new = _program(board, version, say)
        _starters(board, firmware)
        password = "".join(secrets.choice("23456789") for _ in range(8))
        board.replace("config.json", json.dumps({"setup": {"own_password": password}}).encode())
        if is_new:
            _activate(board, slot)
        number = _eui64(board.ask("_number()"))
        board.restart()
    made = node_sticker.of_board(number, f"tram-do-{number[-4:]}", password, platform)
    say(f"Ready. On the board's sticker: Wi-Fi {made.wifi}, password {made.password}")
    if made.url:
        say(f"and as a QR code, for the phone's camera: {made.url}")
    return made


# --- the program ---------------------------------------------------------------


def _slots(board: Board) -> dict[str, Any]:
    """What the board's own rule says of its slots; none on a new board."""
    try:
        found = json.loads(board.read("slots.json") or "{}")
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _program(board: Board, version: Version, say: Callable[[str], None]) -> tuple[str, int, bool]:
    """Bring a version into a slot.

    Returns the slot, how many files came over the cable, and whether it did not run before.
    """
    active = _slots(board).get("active")
    wanted = {file.path: file.sha256 for file in version.files}
    if active in ("a", "b"):
        there = board.hashes([f"{active}/{path}" for path in wanted])
        if all(there[f"{active}/{path}"] == sha256 for path, sha256 in wanted.items()):
            return active, 0, False
    else:
        there = {}
    slot = "b" if active == "a" else "a"
    lying = board.hashes([f"{slot}/{path}" for path in wanted])
    missing = [path for path in wanted if lying[f"{slot}/{path}"] != wanted[path]]
    board.run(f"try:\n os.remove('{slot}/version.json')\nexcept OSError:\n pass")
    copied = 0
    for number, path in enumerate(missing, 1):
        if there.get(f"{active}/{path}") == wanted[path]:
            board.copy(f"{active}/{path}", f"{slot}/{path}")
            continue
        say(f"  {number:3} of {len(missing)}  {path} ({len(version.contents[path])} bytes)")
        board.write(f"{slot}/{path}", version.contents[path])
        copied += 1
    after = board.hashes([f"{slot}/{path}" for path in missing])
    wrong = [path for path in missing if after[f"{slot}/{path}"] != wanted[path]]
    if wrong:
        raise CommandError(
            f"{wrong[0]} came damaged to the board. The version before is still there: try "
            "another cable and deploy again."
        )
    _remove_others(board, slot, set(wanted))
    about = {"number": int(time.time()), "version": version.version}
    board.replace(f"{slot}/version.json", json.dumps(about).encode())
    return slot, copied, True


def _remove_others(board: Board, slot: str, kept: set[str]) -> None:
    """Remove modules of an older version, which would still be found."""
    walk = (
        "def _walk(d):\n for e in os.ilistdir(d):\n  p = d + '/' + e[0]\n"
        "  if e[1] & 0x4000:\n   yield from _walk(p)\n  else:\n   yield p"
    )
    board.run(walk)
    for path in board.ask(f"list(_walk({slot!r}))"):
        if path.removeprefix(slot + "/") not in kept:
            board.run(f"os.remove({path!r})")


def _starters(board: Board, firmware: Path) -> int:
    """Write what starts the board, where it is another one; each in one step."""
    wanted = {"slots.mpy": compile_file(firmware / "slots.py", "slots.py")}
    wanted |= {name: (firmware / name).read_bytes() for name in STAYS if name != "slots.py"}
    there = board.hashes(list(wanted))
    changed = [n for n, c in wanted.items() if there[n] != hashlib.sha256(c).hexdigest()]
    for name in changed:
        board.replace(name, wanted[name])
    return len(changed)


def _activate(board: Board, slot: str) -> None:
    """Let a whole slot run from the next start; somebody is there to see how it does."""
    state = {"active": slot, "trial": None, "tries": 0, "why": "", "rolled": None}
    board.replace("slots.json", json.dumps(state).encode())


# --- the configuration -----------------------------------------------------------


@dataclass(frozen=True)
class _Reach:
    """How the board is to find the broker, as far as the user has said it."""

    ca: str | None
    host: str | None
    port: int | None


def _reach(wishes: Wishes) -> _Reach:
    """Read what the user has named. Raises ``CommandError`` and ``EnrolmentError``."""
    ca = enrolment.authority(wishes.ca_file) if wishes.ca_file is not None else None
    if wishes.broker_host is None:
        return _Reach(ca, None, None)
    host, colon, port = wishes.broker_host.partition(":")
    is_port = port.isascii() and port.isdecimal() and len(port) < 6 and 0 < int(port) < 65536
    if not host or (colon and not is_port):
        raise CommandError(
            f"--broker {wishes.broker_host} is no address: write a host, or host:port with a "
            "port from 1 to 65535, as in 192.168.1.10:1883."
        )
    return _Reach(ca, host, int(port) if colon else None)


def _config(
    wishes: Wishes, reach: _Reach, board: Board, say: Callable[[str], None]
) -> dict[str, Any]:
    """What ``config.json`` is to say: what it said, with what was asked for."""
    config = dict(wishes.config)
    there = _there(board)
    if there is not None:
        config = there
    if wishes.wifi is not None:
        config["wifi"] = {**config.get("wifi", {}), "ssid": wishes.wifi[0]}
        config["wifi"]["password"] = wishes.wifi[1]
    place = wishes.place
    is_same = there is not None and (there.get("farm"), there.get("node")) == (
        place.farm,
        place.slug,
    )
    if not is_same or wishes.new_keys:
        if wishes.settings_file is None or wishes.broker_folder is None:
            raise CommandError(
                "A new board gets its password and key from the gateway: name the gateway's "
                "settings with --settings."
            )
        number = _eui64(board.ask("_number()"))
        admitted = enrolment.admit(wishes.settings_file, wishes.broker_folder, place, number)
        told = enrolment.tell_broker(wishes.broker_folder)
        say(f"Let in as {place.slug} of {place.farm} ({number}).")
        say(
            "The broker has read its passwords anew."
            if told
            else "Restart the broker, so that it reads its passwords anew."
        )
        say("A gateway that runs knows the node within a second.")
        host = reach.host or config.get("broker", {}).get("host", "")
        config = enrolment.config_of(admitted, config, host)
        if not is_same:  # what the board has not sent is another station's: it gives that up
            config["setup"] = {**config.get("setup", {}), "was_elsewhere": True}
    elif wishes.settings_file is not None:
        at = enrolment.reached(wishes.settings_file)
        if at.ca is not None:  # the broker speaks TLS since then, or has a new authority
            config = at.brought_to(config)
    if reach.ca is not None:
        config |= {"ca": reach.ca, "broker": config["broker"] | {"ca_file": enrolment.CA_FILE}}
    if reach.host is not None:
        config["broker"] = {**config["broker"], "host": reach.host}
    if reach.port is not None:
        config["broker"]["port"] = reach.port
    return config


def _there(board: Board) -> dict[str, Any] | None:
    text = board.read("config.json")
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None  # damaged: the board is set up like a new one
    return found if isinstance(found, dict) else None


def _eui64(number: str) -> str:
    """The EUI-64 of a board that has a MAC address of 48 bits (fffe in its middle)."""
    if len(number) == 12:
        return number[:6] + "fffe" + number[6:]
    return number if len(number) == 16 else hashlib.sha256(number.encode()).hexdigest()[:16]


def _write_config(board: Board, config: dict[str, Any]) -> bool:
    """Write what is not so yet, the certificate first; returns whether there was anything."""
    ca = config.pop("ca", None)
    is_new_ca = ca is not None and board.read(enrolment.CA_FILE) != ca
    if is_new_ca:
        board.replace(enrolment.CA_FILE, str(ca).encode())
    if _there(board) == config:
        return is_new_ca
    board.replace("config.json", json.dumps(config, sort_keys=True, indent=1).encode())
    return True


# --- the first word ----------------------------------------------------------------


def _follow(board: Board, seconds: float, say: Callable[[str], None]) -> bool:
    """Show what the board says until the gateway has acknowledged a reading of it."""
    for line in board.lines(seconds):
        text = line.partition("Z ")[2] if "Z " in line else line
        if _ACKNOWLEDGED in text:
            say("The gateway has acknowledged its first reading. Done.")
            return True
        if _CANNOT in line:
            raise CommandError(text[text.index(_CANNOT) :])
        if text.startswith(("node ", *_TROUBLES)):
            say(f"  {text}")
    say(
        f"No acknowledgement within {seconds:.0f} s. Is the gateway running, and does it know the "
        "node? Is the Wi-Fi the right one? Readings wait on the "
        "board meanwhile."
    )
    return False
