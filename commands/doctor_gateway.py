"""What the doctor looks at on a gateway: store, broker, lines, the way to the platform."""

import grp
import http.client
import json
import os
import pwd
import socket
import stat
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nongso.commands.findings import ANSWER_SECONDS, Finding, address, good, look, wrong
from nongso.gateway import broker, settings, storecopy, storeopening
from nongso.gateway.errors import GatewayError, StoreDamaged, StoreError
from nongso.gateway.settings import Bus, GatewaySettings, Line, Serial

LONG_WAIT_ROWS = 10_000


def examine(file: Path) -> Iterator[Finding]:
    """Look at the gateway whose settings these are."""
    try:
        loaded = settings.load(file)
    except GatewayError as error:
        yield wrong(f"gateway settings: {error}", "correct the file; docs/contracts.md, section 2")
        return
    try:
        storeopening.check_sqlite()
        yield good(f"gateway SQLite: {storeopening.sqlite_version()}")
    except StoreError as error:
        yield wrong(f"gateway SQLite: {error}", "pip install --upgrade apsw")
    yield from _store(loaded)
    yield from _broker(loaded)
    yield from _lines(loaded)
    for destination in loaded.destinations:
        yield from address(destination.url, destination.ca_file)
    yield from _process(loaded)


def _store(loaded: GatewaySettings) -> Iterator[Finding]:
    file = loaded.store_file
    if not file.exists():
        yield look(f"gateway store: {file} is not there", "the gateway makes it when it starts")
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            storecopy.copy_store(file, Path(folder) / "store.sqlite")
    except StoreDamaged as error:
        yield wrong(
            f"gateway store: {error}",
            "start the gateway: it takes over what can be read and sets the file aside",
        )
    except (GatewayError, OSError) as error:
        yield wrong(f"gateway store: {error}", "see the disk above")
    else:
        yield good(f"gateway store: whole ({file.stat().st_size / 1e6:.1f} MB)")


def _broker(loaded: GatewaySettings) -> Iterator[Finding]:
    host, port = loaded.broker.host, loaded.broker.port
    if broker.answers(port, host):
        yield good(f"broker: answers at {host}:{port}")
    else:
        yield wrong(
            f"broker: nothing answers at {host}:{port}",
            "systemctl status nongso-broker (or mosquitto); journalctl -u nongso-broker. Stations "
            "keep their readings until it is back.",
        )


def _lines(loaded: GatewaySettings) -> Iterator[Finding]:
    lines: list[tuple[str, Bus | Line]] = [("valves' line", loaded.bus)]
    lines += [(f"line {line.id}", line) for line in loaded.lines]
    for name, where in lines:
        if where.serial is not None:
            yield _serial(name, where.serial)
            continue
        try:
            socket.create_connection((where.host, where.port), ANSWER_SECONDS).close()
        except OSError as error:
            yield wrong(
                f"{name}: {where.host}:{where.port} does not answer ({error})",
                "is the board powered, is its cable in, is its address right? While it is away "
                "nothing is watered.",
            )
        else:
            yield good(f"{name}: {where.host}:{where.port} answers")


def _serial(name: str, line: Serial) -> Finding:
    try:
        told = os.stat(line.device)
    except OSError:
        return wrong(
            f"{name}: {line.device} is not there",
            "is the converter plugged in? ls /dev/serial/by-id shows what is; a name from there "
            "stays the same.",
        )
    if not stat.S_ISCHR(told.st_mode):
        return wrong(f"{name}: {line.device} is no serial line", "correct gateway.json")
    if not os.access(line.device, os.R_OK | os.W_OK, effective_ids=True):
        group = grp.getgrgid(told.st_gid).gr_name
        user = pwd.getpwuid(os.geteuid()).pw_name
        return wrong(
            f"{name}: {user} may not use {line.device}",
            f"sudo usermod -aG {group} {user}, then start the gateway again",
        )
    return good(f"{name}: {line.device} is there, {line.baud} baud")


def _process(loaded: GatewaySettings) -> Iterator[Finding]:
    """What the gateway says of itself."""
    report = _report(loaded.status_port)
    if report is None:
        yield wrong(
            f"gateway: it does not run (nothing answers on port {loaded.status_port})",
            "systemctl status nongso-gateway nongso-valves; journalctl -u nongso-gateway -n 50",
        )
        return
    store, platform = report["store"], report["platform"]
    if report["ok"]:
        yield good("gateway: it runs, hears its broker and can write")
    else:
        yield wrong(
            "gateway: it runs, but "
            + ("cannot write to its store" if not store["ok"] else "does not hear its broker"),
            "see store, disk and broker above; journalctl -u nongso-gateway -n 50",
        )
    for found in platform["destinations"].values():
        waiting = sum(found["waiting"].values())
        if found["reachable_since"] is None:
            yield wrong(
                f"gateway: {found['name']} does not take its rows; {waiting} wait",
                "see network and certificate above; is the key known there (nongso gateway key, "
                "nongso platform gateway)?",
            )
        elif waiting > LONG_WAIT_ROWS:
            yield look(f"gateway: {waiting} rows wait for {found['name']}", "they are being sent")
    lost = store["telemetry_dropped"] + store["rows_lost"]
    if lost:
        yield look(
            f"gateway: {lost} rows were given up since it started, for want of room",
            "reach the platform again, or give the store more room (store_megabytes)",
        )


def _report(port: int) -> dict[str, Any] | None:
    request = f"http://127.0.0.1:{port}/healthz"
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            found = json.load(error)
        except ValueError:
            return None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return found if isinstance(found, dict) and "store" in found else None
