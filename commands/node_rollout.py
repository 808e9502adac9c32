"""``nongso node rollout``: a new version of the nodes' program, over the air.

Lays the version down in the gateway's folder, says which nodes are to run it, and follows what
becomes of it on the gateway's status page. The gateway and the nodes do the rest
(``nongso.gateway.updates``); they go on with it also when nobody follows any more.
"""

import hashlib
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nongso.commands.errors import CommandError
from nongso.commands.jsonfile import write_private
from nongso.commands.node_version import Version, compiled
from nongso.gateway.settings import GatewaySettings
from nongso.gateway.updates import Wish, read_release, read_wanted

KEPT = 5  # versions that stay in the folder beside those that are wanted
LOOK_SECONDS = 0.5
_ANSWER_SECONDS = 3

_ENDS = ("running", "rolled_back", "refused")
_STATES = {
    "running": "runs it",
    "offered": "waits for the node",
    "fetching": "is fetching it",
    "trial": "runs it on trial, until the gateway has acknowledged a reading of it",
    "rolled_back": "ROLLED BACK to the version before",
    "refused": "REFUSED it",
}
_REASONS = {
    "hung": "it hung, and the watchdog ended it",
    "crashed": "it ended by an error; the node's log says which",
    "unheard": "no reading of it was acknowledged in time: Wi-Fi, broker, or a sensor",
    "stopped": "the board was switched off in each of its tries",
    "signature": "the key in the node's config.json is not the one in gateway.json",
    "older": "the node runs a newer one; to go back on purpose: --step-back",
    "rolled_back": "the node went back from it before; make a new one of mended sources",
    "no_space": "there is no space left on the board",
    "damaged": "what came is not what was signed; see the gateway's log",
    "unfit": "this node does not run under MicroPython",
}


def lay_down(folder: Path, version: Version, now: float) -> int:
    """Put a version into the updates folder; return its number, higher than any there."""
    there = [int(found.name) for found in folder.glob("*") if found.name.isdigit()]
    number = max([int(now), *(n + 1 for n in there)])
    new = folder / f"{number}.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    listing = version.listing
    for file in version.files:
        (new / file.sha256).write_bytes(version.contents[file.path])
    digest = hashlib.sha256(listing).hexdigest()
    (new / digest).write_bytes(listing)
    about = {"version": version.version, "size": len(listing), "sha256": digest}
    write_private(new / "release.json", about)
    new.rename(folder / str(number))
    return number


def want(folder: Path, number: int, slugs: list[str], step_back: bool) -> None:
    """Say which nodes are to run a version, and throw away versions that nobody wants any more."""
    file = folder / "wanted.json"
    try:
        wanted = read_wanted(file)
    except FileNotFoundError:
        wanted = {}
    except ValueError as error:
        raise CommandError(f"{file} is damaged ({error}). Remove it and roll out anew.") from None
    at = max([int(time.time()), *(wish.at + 1 for wish in wanted.values())])
    wanted |= {slug: Wish(number, step_back, at) for slug in slugs}
    write_private(file, {slug: wish._asdict() for slug, wish in wanted.items()})
    kept = {wish.number for wish in wanted.values()}
    there = sorted((int(f.name) for f in folder.glob("*") if f.name.isdigit()), reverse=True)
    for old in there[KEPT:]:
        if old not in kept:
            shutil.rmtree(folder / str(old), ignore_errors=True)


def run(
    settings: GatewaySettings,
    firmware: Path,
    *,
    nodes: list[str],
    number: int | None,
    step_back: bool,
    wait_seconds: float,
    say: Callable[[str], None] = print,
) -> int:
    """Roll a version out and follow it; returns the exit status. Raises ``CommandError``."""
    able = {node.slug for node in settings.nodes if node.key is not None}
    for slug in nodes:
        if slug not in {node.slug for node in settings.nodes}:
            raise CommandError(f"gateway.json has no node {slug!r}; there are: {_list(able)}")
        if slug not in able:
            raise CommandError(
                f"Node {slug} has no key in gateway.json, so nothing can be signed for it. Give "
                "it one by cable: nongso node deploy"
            )
    chosen = nodes or sorted(able)
    if not chosen:
        raise CommandError("No node in gateway.json has a key. First: nongso node deploy")
    folder = settings.updates_folder
    if number is None:
        version = compiled(firmware)
        number = lay_down(folder, version, time.time())
        size = sum(map(len, version.contents.values()))
        say(f"Version {number} ({version.version}): {len(version.contents)} files, {size} bytes.")
    else:
        try:
            read_release(folder / str(number))
        except (OSError, ValueError) as error:
            raise CommandError(f"There is no version {number} in {folder} ({error}).") from None
    want(folder, number, chosen, step_back)
    say(f"Offered to: {_list(chosen)}. Ctrl-C ends the watching, not the update.")
    return _follow(settings, number, chosen, wait_seconds, say)


def _follow(
    settings: GatewaySettings,
    number: int,
    slugs: list[str],
    wait_seconds: float,
    say: Callable[[str], None],
) -> int:
    deadline = time.monotonic() + wait_seconds
    said: dict[str, str] = {}
    states: dict[str, str] = {}
    was_away = False
    while True:
        programs = _programs(settings.status_port)
        if programs is None and not was_away:
            say("The gateway does not answer on this machine; it offers the version when it runs.")
        was_away = programs is None
        for slug in slugs:
            found = (programs or {}).get(slug)
            if found is None or found["wanted"] != number:
                continue
            states[slug] = found["state"]
            text = _STATES.get(found["state"], found["state"])
            if found["why"]:
                text += f": {_REASONS.get(found['why'], found['why'])}"
            if said.get(slug) != text:
                said[slug] = text
                say(f"{slug:12} {text}")
        if all(states.get(slug) in _ENDS for slug in slugs):
            break
        if time.monotonic() > deadline:
            late = {slug for slug in slugs if states.get(slug) not in _ENDS}
            say(f"After {wait_seconds:.0f} s not done: {_list(late)}. It goes on unwatched.")
            return 1
        time.sleep(LOOK_SECONDS)
    return 0 if all(state == "running" for state in states.values()) else 1


def _programs(port: int) -> dict[str, Any] | None:
    try:
        url = f"http://127.0.0.1:{port}/healthz"
        with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:  # not well, but it tells
        found = json.load(error)
    except (OSError, ValueError):
        return None
    programs = found.get("programs")
    return programs if isinstance(programs, dict) else None


def _list(names: "list[str] | set[str]") -> str:
    return ", ".join(sorted(names)) or "none"
