"""A copied code, from two phones behind a proxy to the clerk's list: through the real server."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cooperative import COOP, Farm
from sqlalchemy import select

from nongso.platform import people
from nongso.platform.traceability.labelling import account as labelling_account
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.records import LabelCode
from nongso.platform.traceability.scans.records import ScanSerial

NETWORKS = "198.51.100.0/24,tỉnh Lai Châu\n203.0.113.0/24,thành phố Hà Nội\n"
SECRET = "0123456789abcdef" * 4


def ask(url: str, **headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with urllib.request.urlopen(urllib.request.Request(url, headers=named), timeout=30) as answer:
        return answer.read().decode()


@contextmanager
def serving(farm: Farm, folder: Path) -> Iterator[str]:
    """The server behind a proxy on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = folder / "platform.json"
    told = {"folder": str(folder), "secret": SECRET, "port": port, "proxy": "127.0.0.1"}
    if farm.settings.records:
        told["records"] = farm.settings.records
    file.write_text(json.dumps(told))
    file.chmod(0o600)
    command = ["nongso.commands", "platform", "run", "--settings", str(file)]
    process = subprocess.Popen([sys.executable, "-m", *command], stderr=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                ask(url + "/healthz")
                break
            except OSError:
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "Traceback" not in said


def test_a_cloned_code_in_two_provinces_within_a_minute_is_on_the_clerks_list(
    farm: Farm, tmp_path: Path
) -> None:
    (tmp_path / "networks.csv").write_text(NETWORKS, "utf-8")
    lot = farm.packed(3).code
    farm.do(labelling.issue, labelling.Wish(lot, 3), {"text": "Miến"})
    farm.do(labelling_account.apply, labelling_account.Told(lot, ()))
    with farm.records.transaction() as session:
        serial, other = session.scalars(select(LabelCode.serial).limit(2))
        clerk = people.add_person(session, "clerk", "clerk", "clerk", COOP, "mien dong 500 g")
        token = people.new_api_token(session, clerk, "test")
    with serving(farm, tmp_path) as url:
        first = ask(f"{url}/t/{lot}/{serial}", X_Forwarded_For="198.51.100.7")
        assert "Mã này được quét lần đầu." in first
        ask(f"{url}/t/{lot}/{serial}", X_Forwarded_For="198.51.100.7, 203.0.113.9")
        deadline = time.monotonic() + 60
        while serial not in (page := ask(url + "/records/scans", Authorization=f"Bearer {token}")):
            assert time.monotonic() < deadline, page
            time.sleep(0.1)
        assert "tỉnh Lai Châu" in page
        assert "thành phố Hà Nội" in page
        again = ask(f"{url}/t/{lot}/{serial}", X_Forwarded_For="198.51.100.7")
        assert "đến nay 2 lần" in again
        for promised_too_much in ("hàng thật", "chính hãng"):
            assert promised_too_much not in first + again
        ask(f"{url}/t/{lot}/{other}", X_Forwarded_For="198.51.100.7")  # and it ends at once
    with farm.records.session() as session:
        counted = session.scalars(select(ScanSerial.serial)).all()
    assert set(counted) == {serial, other}  # what waited in memory was written before the end
