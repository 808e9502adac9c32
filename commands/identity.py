"""The keys and identities of one house: made once, kept in two files, never made anew in silence.

Others know these keys: the platform's database the gateway's, the stores the nodes' numbers.
With new ones the house would be a stranger to its own data. So ``house.json`` has a copy beside
it; where one of the two is lost the other takes its place, and where both are, nothing starts.
"""

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nongso.commands.errors import CommandError
from nongso.commands.jsonfile import Unreadable, read_object, write_private
from nongso.gateway.simulated.aside import set_aside

NAMES = ("house.json", "house.copy.json")
# Where one of these is, a house was at home before.
_TRACES = ("gateway/gateway.json", "gateway/store.sqlite", "platform/records.sqlite")
_HEX = set("0123456789abcdef")

Say = Callable[[str], None]


def take_up(folder: Path, users: Sequence[str], slugs: Sequence[str], say: Say) -> dict[str, Any]:
    """Return the identity of the house in this folder, made now if there was never one.

    ``users`` are the broker's users, ``slugs`` the nodes with an EUI-64. Raises ``CommandError``
    when it is lost while the house's data are there, ``OSError`` when it cannot be written.
    """
    files = [folder / name for name in NAMES]
    wrong: dict[Path, str] = {}
    found: list[dict[str, Any]] = []
    for file in files:
        try:
            identity = read_object(file)
            _check(identity, users, slugs)
            found.append(identity)
        except FileNotFoundError:
            wrong[file] = ""
        except Unreadable as e:
            wrong[file] = str(e)
    if not found:
        return _made_or_refused(folder, files, wrong, users, slugs)
    for file, why in wrong.items():
        if why:
            aside = set_aside(file).name
            say(f"WARNING: {file} was damaged ({why}). It is kept as {aside}; its copy is used.")
        elif file == files[0]:
            say(f"WARNING: {file} was missing; it was written anew from {files[1]}.")
    if len(found) == 2 and _keys(found[0]) != _keys(found[1]):
        aside = set_aside(files[1]).name
        say(
            f"WARNING: {files[0]} and {files[1]} held different keys. The first is used; the "
            f"second is kept as {aside}."
        )
    keep(folder, found[0])
    return found[0]


def keep(folder: Path, identity: dict[str, Any]) -> None:
    """Write both files, the first one first: it is the newer after a power cut."""
    for name in NAMES:
        file = folder / name
        try:
            if read_object(file) == identity:
                continue
        except (Unreadable, FileNotFoundError):
            pass
        write_private(file, identity)


def _keys(identity: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in identity.items() if name != "history_laid"}


def _made_or_refused(
    folder: Path,
    files: list[Path],
    wrong: dict[Path, str],
    users: Sequence[str],
    slugs: Sequence[str],
) -> dict[str, Any]:
    damaged = [(file, why) for file, why in wrong.items() if why]
    if damaged:
        file, why = damaged[0]
        raise CommandError(
            f"{file} is damaged ({why}), and there is no sound copy of it in {files[1]}. It holds "
            "the keys of this system: restore it from a backup, or begin anew with another --data."
        )
    for trace in _TRACES:
        if (folder / trace).exists():
            raise CommandError(
                f"{files[0]} is missing, but {folder / trace} belongs to a system whose keys were "
                "in it. Restore it from a backup, or begin anew with another --data."
            )
    made = _new(users, slugs)
    keep(folder, made)
    return made


def _new(users: Sequence[str], slugs: Sequence[str]) -> dict[str, Any]:
    return {
        "seed": secrets.randbelow(1 << 30),
        "broker": {user: secrets.token_urlsafe(18) for user in users},
        # 02: locally administered, so that no maker's number is taken
        "eui64": {slug: "02" + secrets.token_hex(7) for slug in slugs},
        "gateway_key": secrets.token_hex(32),
        "platform_secret": secrets.token_hex(32),
        "history_laid": False,
    }


def _check(found: dict[str, Any], users: Sequence[str], slugs: Sequence[str]) -> None:
    """Raise ``Unreadable`` unless this is an identity that every room can work with."""

    def need(good: bool, what: str) -> None:
        if not good:
            raise Unreadable(f"{what} is missing or is not what it was")

    def is_key(value: object, shortest: int) -> bool:
        return (
            isinstance(value, str)
            and len(value) >= shortest
            and len(set(value)) >= 8
            and all("!" <= letter <= "~" for letter in value)
        )

    seed = found.get("seed")
    need(type(seed) is int and 0 <= seed < 1 << 30, "seed")
    for name in ("gateway_key", "platform_secret"):
        need(is_key(found.get(name), 32), name)
    broker, eui64 = found.get("broker"), found.get("eui64")
    need(isinstance(broker, dict) and all(is_key(broker.get(u), 16) for u in users), "broker")
    need(isinstance(eui64, dict) and all(_is_eui64(eui64.get(s)) for s in slugs), "eui64")
    assert isinstance(eui64, dict)
    need(len({eui64[slug] for slug in slugs}) == len(slugs), "eui64")
    need(type(found.get("history_laid")) is bool, "history_laid")


def _is_eui64(value: object) -> bool:
    return isinstance(value, str) and len(value) == 16 and not set(value) - _HEX
