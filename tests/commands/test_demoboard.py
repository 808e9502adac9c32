"""A board without hardware is let in as a new one is: by its own page, with a code."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from nongso.gateway.claims import Door
from nongso.gateway.simulated import boards


def until(file: Path, words: str) -> str:
    deadline = time.monotonic() + 60
    while words not in (said := file.read_text()):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return said


def test_a_new_board_of_a_demo_is_let_in_by_its_page(tmp_path: Path) -> None:
    if not boards.has_micropython():
        pytest.skip("MicroPython has no package for this Python")
    (tmp_path / "demo.json").write_text(json.dumps({"url": "http://127.0.0.1:8080"}))
    let_in: list[str] = []
    made: dict[str, object] = {"farm": "tan-binh", "node": "tb-09", "key": "0" * 64}
    made["sensors"] = [{"chip": "soil", "pin": 34, "dry": 2900, "wet": 1200}]
    made["broker"] = {"host": "127.0.0.1", "port": 1, "user": "tb-09", "password": "secret-word"}
    made["board"] = {"simulated": "127.0.0.1:1"}

    def admit(eui64: str) -> dict[str, object]:
        let_in.append(eui64)
        return made | {"eui64": eui64}

    door = Door("127.0.0.1", 0, admit)
    said = tmp_path / "said"
    words = [sys.executable, "-u", "-m", "nongso.commands", "demo", "board"]
    words += ["--data", str(tmp_path)]
    with said.open("w") as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT)
    try:
        told = until(said, "Ctrl-C")
        number = re.search(r"/tram/([0-9a-f]{16})", told)
        page = re.search(r"http://127.0.0.1:(?!8080)\d+/", told)
        assert number is not None
        assert page is not None
        typed = {"ssid": "Nông trại", "password": "", "gateway": f"127.0.0.1:{door.port}"}
        data = urllib.parse.urlencode(typed | {"code": door.code}).encode()
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(page[0], data, timeout=10) as answer:
                    assert "Đã lưu" in answer.read().decode()
                break
            except OSError:
                assert time.monotonic() < deadline, said.read_text()
                time.sleep(0.1)
        door.wait()
        assert let_in == [number[1]]
        told = until(said, "node tb-09 of tan-binh starts")
        assert "secret-word" not in told
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_without_a_demo_it_says_what_to_do(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "nongso.commands", "demo", "board", "--data", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "start a demo first" in done.stderr
