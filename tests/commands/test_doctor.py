"""The doctor says what is wrong in words, says what to do, and changes nothing."""

import hashlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nongso.commands import doctor, findings
from nongso.commands.__main__ import main
from nongso.commands.findings import Finding, Grade
from nongso.gateway import run as gateway_run
from nongso.gateway.store import Store

PLATFORM = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("server") / "platform" / "platform.json"
    main(["platform", "init", "--settings", str(file), "--url", PLATFORM])
    main(["platform", "upgrade", "--settings", str(file)])
    return file


@pytest.fixture
def gateway(tmp_path: Path) -> Path:
    file = tmp_path / "gateway" / "gateway.json"
    gateway_run.init(file, gateway="binh-lu", name="Tủ", platform_url=PLATFORM)
    store = Store(file.parent / "store.sqlite")
    store.record("alarm", {"id": "a-1"})
    store.close()
    return file


def found(**place: Path) -> list[Finding]:
    return list(doctor.examine(doctor.Place(**place)))


def about(what: str, some: list[Finding]) -> Finding:
    mine = [one for one in some if what in one.what]
    assert mine, [one.what for one in some]
    return mine[0]


def everything_in(folder: Path) -> dict[str, str]:
    return {
        str(file): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.name.endswith(("-shm", "-wal"))
    }


def test_what_is_well_is_called_well_and_nothing_is_changed(server: Path, gateway: Path) -> None:
    before = everything_in(server.parent) | everything_in(gateway.parent)
    some = found(platform=server, gateway=gateway)
    for what in ("disk of", "gateway SQLite", "gateway store", "platform records"):
        assert about(what, some).grade is Grade.GOOD, about(what, some)
    assert everything_in(server.parent) | everything_in(gateway.parent) == before
    for one in some:
        assert one.grade is Grade.GOOD or one.grade is Grade.UNKNOWN or one.do


def test_what_does_not_answer_is_named_with_what_to_do(server: Path, gateway: Path) -> None:
    some = found(platform=server, gateway=gateway)
    for what, do in (
        ("broker: nothing answers", "mosquitto"),
        ("valves' line", "nothing is watered"),
        ("gateway: it does not run", "journalctl -u nongso-gateway"),
        ("platform: it does not run", "journalctl -u nongso-platform"),
    ):
        assert about(what, some).grade is Grade.WRONG
        assert do in about(what, some).do


def test_a_damaged_store_is_named_and_left_as_it_is(gateway: Path) -> None:
    store = gateway.parent / "store.sqlite"
    with store.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    before = store.read_bytes()
    finding = about("gateway store", found(gateway=gateway))
    assert finding.grade is Grade.WRONG
    assert "start the gateway" in finding.do
    assert store.read_bytes() == before


def test_settings_that_others_can_read_are_closed_with_a_command(gateway: Path) -> None:
    gateway.chmod(0o644)
    finding = about("holds keys", found(gateway=gateway))
    assert (finding.grade, finding.do.split(";")[0]) == (Grade.WRONG, f"chmod 600 {gateway}")


def test_a_clock_that_was_put_back_is_noticed_by_the_files(gateway: Path) -> None:
    ahead = time.time() + 3 * 86400
    os.utime(gateway.parent / "store.sqlite", (ahead, ahead))
    finding = about("clock", found(gateway=gateway))
    assert finding.grade is Grade.WRONG
    assert "3 days later" in finding.what


def test_files_that_were_set_aside_are_told(gateway: Path) -> None:
    (gateway.parent / "store.sqlite.damaged-20261122T021100Z").write_bytes(b"?")
    finding = about("damaged files lie set aside", found(gateway=gateway))
    assert finding.grade is Grade.LOOK
    assert "store.sqlite.damaged-20261122T021100Z" in finding.what


def test_a_converter_that_is_not_plugged_in_is_named(gateway: Path) -> None:
    told = json.loads(gateway.read_text())
    for key in ("host", "port", "framing"):
        told["bus"].pop(key, None)
    told["bus"]["serial"] = {"device": "/dev/ttyNOT0", "baud": 9600}
    gateway.write_text(json.dumps(told))
    finding = about("/dev/ttyNOT0", found(gateway=gateway))
    assert finding.grade is Grade.WRONG
    assert "plugged in" in finding.do


def test_settings_that_cannot_be_read_are_the_finding(gateway: Path) -> None:
    gateway.write_text("{")
    assert about("gateway settings", found(gateway=gateway)).grade is Grade.WRONG


@pytest.mark.parametrize(("days", "grade"), [(-3, Grade.WRONG), (5, Grade.LOOK), (80, Grade.GOOD)])
def test_a_certificate_is_judged_by_the_days_it_has_left(days: int, grade: Grade) -> None:
    ends = time.strftime("%b %d %H:%M:%S %Y GMT", time.gmtime(time.time() + days * 86400 + 60))
    assert findings.certificate("https://x", {"notAfter": ends}).grade is grade


@pytest.fixture
def unknown_authority(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A server whose certificate nobody here knows."""
    made = tmp_path / "cert.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "5", "-keyout", made]
    words += ["-out", f"{made}.crt", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{made}.crt", made)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                line, _ = listening.accept()
                with line:
                    context.wrap_socket(line, server_side=True).close()
            except ssl.SSLError:
                continue
            except OSError:
                if listening.fileno() < 0:
                    return

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1], Path(f"{made}.crt")
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def test_a_certificate_of_an_unknown_authority_is_not_trusted_until_it_is_named(
    unknown_authority: tuple[int, Path],
) -> None:
    port, authority = unknown_authority
    url = f"https://localhost:{port}"
    (finding,) = findings.address(url)
    assert finding.grade is Grade.WRONG
    assert "ca_file" in finding.do
    (finding,) = findings.address(url, str(authority))
    assert finding.grade is Grade.LOOK, "and it has five days left"


def test_the_command_ends_with_status_1_where_something_is_wrong(
    gateway: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--gateway", str(gateway)]) == 1
    told = capsys.readouterr().out
    assert "WRONG  broker" in told
    assert "things are wrong" in told
