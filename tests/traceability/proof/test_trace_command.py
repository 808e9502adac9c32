"""``nongso trace``: what a stranger, a witness and the operator do from a command line."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from cooperative import NOW
from platform_site import Site
from selling import cartons
from sqlalchemy import text

from nongso.commands.__main__ import main
from nongso.platform.traceability.proof import keeping, notes, reading, signer
from nongso.platform.traceability.proof.custody import Custody
from nongso.platform.traceability.proof.notes import PrivateKey
from nongso.platform.traceability.proof.signing import LOG_KEY, Signer

ROOT = Path(__file__).parents[3]


@pytest.fixture
def signing(site: Site) -> Iterator[Signer]:
    custody = Custody(site.farm.settings.folder)
    assert custody.take()
    yield Signer(site.farm.records, custody, "127.0.0.1:8080/log")
    custody.let_go()


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url(site: Site) -> Iterator[str]:
    """The platform on a port of its own."""
    server = make_server("127.0.0.1", 0, site.clerk.application, WSGIServer, Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings_file(site: Site, tmp_path: Path) -> Path:
    folder = site.farm.settings.folder
    records = f', "records": "{site.farm.settings.records}"' if site.farm.settings.records else ""
    file = tmp_path / "platform.json"
    file.write_text(f'{{"folder": "{folder}", "secret": "{site.farm.settings.secret}"{records}}}')
    file.chmod(0o600)
    return file


def proof_of(site: Site, signing: Signer, folder: Path) -> tuple[str, Path]:
    packed = site.farm.packed()
    signing.sign_now(NOW)
    file = folder / "lot.json"
    file.write_bytes(site.stranger.get(f"/log/proof/{packed.code}").data)
    return packed.code, file


ALONE = """
import socket, sys
def no_network(*_): raise AssertionError("the network was asked")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = no_network
from nongso.commands.__main__ import main
status = main(sys.argv[1:])
for name in ("flask", "sqlalchemy", "sqlite3", "psycopg"):
    assert name not in sys.modules, name
sys.exit(status)
"""


def test_a_stranger_verifies_with_nothing_but_the_file(
    site: Site, signing: Signer, tmp_path: Path
) -> None:
    lot, file = proof_of(site, signing, tmp_path)

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", ALONE, "trace", "verify", str(file), *more],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ},
        )

    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert f"PROVEN for lot {lot}" in done.stdout
    with site.farm.records.session() as session:
        key = str(reading.keys(session, LOG_KEY)[0])
    kept = tmp_path / "key.txt"
    kept.write_text(key + "\n")
    done = run("--lang", "vi", "--key", str(kept))
    assert "Đây là khóa đã đưa" in done.stdout
    file.write_text(file.read_text().replace("lot.packed", "lot.pocked"))
    done = run("--key", key)
    assert (done.returncode, done.stdout) == (1, "")
    assert "A record is not what was entered" in done.stderr


@pytest.mark.parametrize("bad", ["nonsense", "a+b+c", "x+00000000+AAAA"])
def test_a_key_that_is_none_is_said(
    site: Site, signing: Signer, tmp_path: Path, bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _lot, file = proof_of(site, signing, tmp_path)
    assert main(["trace", "verify", str(file), "--key", bad]) == 1
    assert "is no public key" in capsys.readouterr().err


def test_a_witness_signs_what_grows_and_refuses_a_forked_log(
    site: Site,
    signing: Signer,
    url: str,
    tmp_path: Path,
    settings_file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site.farm.packed()
    signing.sign_now(int(time.time()))
    here = ["--folder", str(tmp_path / "witness")]
    look = ["trace", "witness", url, *here]
    assert main(look) == 1
    assert "has no key yet" in capsys.readouterr().err
    assert main([*look, "--name", "hiep-luc.example/witness"]) == 1
    assert "is not known here" in capsys.readouterr().err
    assert main(["trace", "key", "--settings", str(settings_file)]) == 0
    key = capsys.readouterr().out.strip()
    wrong = str(PrivateKey.new(key.partition("+")[0], notes.LOG).key)
    assert main([*look, "--log-key", wrong]) == 1
    capsys.readouterr()
    assert main([*look, "--log-key", key]) == 1
    said = capsys.readouterr()
    assert "looked at for the first time" in said.out
    assert "is no witness of this log" in said.err
    own = PrivateKey.parse((tmp_path / "witness" / "witness.key").read_text()).key
    trust = ["trace", "trust", str(own), "--settings", str(settings_file)]
    assert main([*trust, "--name", "Hợp tác xã Hiệp Lực"]) == 0
    site.farm.roots(5)
    signing.sign_now(int(time.time()))
    capsys.readouterr()
    assert main(look) == 0
    assert "It continues the 6 entries that were seen before." in capsys.readouterr().out
    assert "hiep-luc.example/witness" in site.stranger.get("/log/checkpoint").text
    # A new key that the old one confirmed needs no word from anybody.
    assert main(["trace", "rotate", "--settings", str(settings_file)]) == 0
    assert signing.look(int(time.time())) is not None
    site.farm.roots(5)
    signing.sign_now(int(time.time()))
    assert main(look) == 0
    # The operator makes the log anew, with one entry changed, and forgets what was signed.
    with site.farm.records.transaction() as session:
        if site.farm.records.is_file:
            for table in ("event", "log_entry", "log_checkpoint"):
                for deed in ("update", "delete"):
                    session.execute(text(f"DROP TRIGGER {table}_no_{deed}"))
        else:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE event SET at = at - 1 WHERE number = 1"))
        for table in ("entry", "tile", "checkpoint", "cosignature", "salt", "key"):
            session.execute(text(f"DELETE FROM log_{table}"))
    (signing.custody.folder / "last").unlink()
    site.farm.roots(5)
    site.farm.roots(5)
    again = Signer(site.farm.records, signing.custody, "127.0.0.1:8080/log")
    assert again.sign_now(int(time.time())) is not None
    capsys.readouterr()
    assert main(look) == 1
    assert "shows a second history" in capsys.readouterr().err
    assert list((tmp_path / "witness").glob("*forked*"))
    assert main([*trust, "--remove"]) == 0
    assert main([*trust, "--remove"]) == 1


def test_the_operator_checks_the_whole_log(
    site: Site, signing: Signer, settings_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.farm.packed()
    signing.sign_now(NOW)
    check = ["trace", "check", "--settings", str(settings_file)]
    assert main(check) == 0
    assert "All 6 entries match" in capsys.readouterr().out
    with site.farm.records.transaction() as session:
        if site.farm.records.is_file:
            session.execute(text("DROP TRIGGER event_no_update"))
        else:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE event SET actor = 'x' WHERE number = 2"))
    assert main(check) == 1
    assert "event 2 was changed after its entry" in capsys.readouterr().out
    with site.farm.records.transaction() as session:
        session.execute(text("UPDATE lot SET best_before = '2099-01-01' WHERE kind = 'packs'"))
    assert main(check) == 1
    assert "best_before is '2099-01-01', the stream says" in capsys.readouterr().out


def test_the_operator_puts_a_wrong_account_of_packs_right(
    site: Site, signing: Signer, settings_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lot, more = site.farm.packed(30).code, ["--settings", str(settings_file)]
    cartons(site.farm, lot, 10)
    with site.farm.records.transaction() as session:
        session.execute(text("UPDATE pack_account SET packs = 35, loose = 25"))
    assert main(["trace", "check", *more]) == 1
    assert "nongso trace recount --why" in capsys.readouterr().out
    assert main(["trace", "recount", "--why", " ", *more]) == 1
    assert main(["trace", "recount", "--why", "old versions", *more]) == 0
    assert f"Lot {lot}: its account of packs is what the events make" in capsys.readouterr().out
    signing.sign_now(NOW)
    assert main(["trace", "check", *more]) == 0
    assert main(["trace", "recount", "--why", "old versions", *more]) == 0
    assert "Every account of packs is" in capsys.readouterr().out


@pytest.mark.walk
def test_the_signer_is_a_process_of_its_own_and_ends_when_told(
    site: Site, settings_file: Path
) -> None:
    site.farm.packed()
    child = subprocess.Popen(
        [sys.executable, "-m", "nongso.commands", "trace", "signer", "--settings", settings_file],
        cwd=ROOT,
    )
    try:
        deadline = time.monotonic() + 60
        while site.stranger.get("/log/checkpoint").status_code != 200:
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.05)
    finally:
        child.terminate()
    assert child.wait(20) == 0
    with site.farm.records.session() as session:
        assert keeping.size_of(session) == 6


def test_the_server_s_own_process_has_no_way_to_the_key() -> None:
    """No module that answers requests imports the keys' custody; only signer and commands do."""
    folder = Path(signer.__file__).parent
    users = {
        file.stem for file in folder.glob("*.py") if "proof.custody import" in file.read_text()
    }
    assert users == {"rotation", "signer", "signing"}
    pages = (folder / "pages.py").read_text()
    assert "PrivateKey" not in pages
    assert "signer" not in pages.replace("signers", "")
