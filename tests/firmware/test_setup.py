"""A board without a name is set up over its own page with a claim code, and lets itself in."""

import asyncio
import contextlib
import http.client
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.firmware.conftest import (
    FARM,
    OLD_BOOT,
    Gateway,
    NodeProcess,
    fill_ring,
    free_port,
    until,
)

from nongso.gateway import broker, claims, enrolment
from nongso.gateway.claims import Door
from nongso.gateway.settings import first_settings, load
from nongso.gateway.simulated import boards
from nongso.wire import claim

NUMBER = "021122fffe334455"


class Shed:
    """A gateway's settings and its broker's files, and the door for a new board."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.file, self.broker = folder / "gateway.json", folder / "broker"
        found = first_settings("binh-lu", "Tủ điều khiển", FARM, "Tân Bình", "http://127.0.0.1:9")
        house = {"slug": "tan-binh-1", "name": "Nhà màng", "farm": FARM, "area_m2": 500}
        found["greenhouses"] = [house | {"zones": []}]
        self.file.write_text(json.dumps(found))
        self.file.chmod(0o600)
        broker.write_config(
            self.broker, 1883, {"gateway": "g" * 20}, [{"farm": FARM, "slug": "x"}]
        )
        self.config = config
        self.place = enrolment.Place(FARM, "tb-07", "tan-binh-1")
        self.now = 0.0
        self.door = claims.Door("127.0.0.1", 0, self._let_in, lambda: self.now)
        self._thread = threading.Thread(target=self.door.wait)
        self._thread.start()

    def _let_in(self, eui64: str) -> dict[str, Any]:
        admitted = enrolment.admit(self.file, self.broker, self.place, eui64)
        return enrolment.config_of(admitted, self.config, "127.0.0.1")

    def asked(self, code: str) -> int:
        """The status with which somebody is answered who knows this code."""
        key, nonce = claim.key_of(code), "00" * 16
        word = {"eui64": NUMBER, "nonce": nonce, "proof": claim.proof(key, NUMBER, nonce)}
        return self.door.answer(json.dumps(word).encode())[0]

    def close(self) -> None:
        self.now = 1e6
        self._thread.join(5)


@pytest.fixture
def shed(tmp_path: Path, config: dict[str, Any]) -> Iterator[Shed]:
    (tmp_path / "shed").mkdir()
    made = Shed(tmp_path / "shed", config)
    yield made
    made.close()


WRONG = "A" * claim.CODE_LENGTH


def test_a_code_is_good_once(shed: Shed) -> None:
    assert shed.asked(WRONG) == 403
    assert shed.asked(shed.door.code) == 200
    assert shed.asked(shed.door.code) == 410
    assert [node.slug for node in load(shed.file).nodes] == ["tb-07"]


def test_a_code_ends_after_ten_minutes(shed: Shed) -> None:
    shed.now = claims.OPEN_SECONDS + 1
    assert shed.asked(shed.door.code) == 410
    assert not load(shed.file).nodes


def test_guessing_closes_the_door(shed: Shed) -> None:
    for _ in range(claims.MOST_WRONG):
        assert shed.asked(WRONG) == 403
    assert shed.asked(shed.door.code) == 410


def test_what_is_no_asking_is_refused_and_costs_nothing(shed: Shed) -> None:
    for raw in (
        b"",
        b"[]",
        b"{}",
        b"[" * 2000,
        b'{"eui64": 7, "nonce": "", "proof": ""}',
        b"\xff",
    ):
        assert shed.door.answer(raw)[0] == 400
    assert shed.asked(shed.door.code) == 200


def test_an_answer_sealed_with_another_code_is_not_opened() -> None:
    key, other = claim.key_of("ABCDE-FGHJK"), claim.key_of("abcdefghj m")
    sealed = claim.seal(key, "00" * 16, "mật khẩu".encode())
    assert claim.unseal(key, "00" * 16, sealed).decode() == "mật khẩu"
    for wrong, nonce in ((other, "00" * 16), (key, "01" * 16)):
        with pytest.raises(claim.ClaimError):
            claim.unseal(wrong, nonce, sealed)


class Phone:
    """The phone in the board's own Wi-Fi."""

    def __init__(self, port: int) -> None:
        self._port = port

    def page(self, fields: dict[str, str] | None = None, query: str = "") -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            if fields is None:
                connection.request("GET", f"/?{query}" if query else "/generate_204")
            else:
                kind = {"Content-Type": "application/x-www-form-urlencoded"}
                connection.request("POST", "/", urlencode(fields), kind)
            return connection.getresponse().read().decode()
        except OSError:
            return ""
        finally:
            connection.close()


def test_what_has_signed_the_brokers_certificate_lies_beside_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nongso.node import setup

    monkeypatch.chdir(tmp_path)
    setup._keep({"broker": {"host": "h", "ca_file": "broker-ca.pem"}, "ca": "a certificate"})
    assert (tmp_path / "broker-ca.pem").read_text() == "a certificate"
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "broker": {"host": "h", "ca_file": "broker-ca.pem"}
    }


class PowerCut(BaseException):
    """The board has no power any more."""


class Flash:
    """Files whose n-th writing, renaming or removing the power cut takes, a half of it done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cut_at: int) -> None:
        from nongso.node import setup

        self.left = cut_at
        monkeypatch.setattr(setup, "open", self._open, raising=False)
        for name in ("rename", "remove"):
            monkeypatch.setattr(setup.os, name, self._counted(getattr(os, name)))

    def _counted(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def do(*arguments: Any) -> Any:
            self.left -= 1
            if not self.left:
                raise PowerCut
            return work(*arguments)

        return do

    def _open(self, path: str, mode: str = "r") -> Any:
        file = open(path, mode)  # noqa: SIM115 (its owner closes it)
        if mode != "w":
            return file
        whole = file.write

        def write(text: str) -> int:
            self.left -= 1
            if not self.left:
                whole(text[: len(text) // 2])
                file.close()
                raise PowerCut
            return whole(text)

        file.write = write  # type: ignore[method-assign]
        return file


class Air:
    """The farm's Wi-Fi, which is there."""

    def number(self) -> str:
        return NUMBER

    async def join(self, ssid: str, password: str) -> None:
        pass


OLD = {"farm": FARM, "node": "tb-01", "broker": {"host": "a", "ca_file": "broker-ca.pem"}}
NEW = {"farm": "hung-binh", "node": "hb-01", "broker": {"host": "b"}, "ca": "the new one"}


@pytest.mark.parametrize("cut_at", range(1, 12))
def test_a_power_cut_leaves_the_old_house_whole_or_the_new_one_without_the_olds_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    from nongso.node import setup

    monkeypatch.chdir(tmp_path)
    config, ring = Path("config.json"), Path("ring")
    ring.mkdir()
    for name in ("00000001.seg", "00000002.seg", "cursor"):
        (ring / name).write_text("not sent")
    Path("broker-ca.pem").write_text("the old one")
    slept = ["a sample that outlived the sleep"]
    door = Door("127.0.0.1", 0, lambda _: json.loads(json.dumps(NEW)))
    thread = threading.Thread(target=door.wait)
    thread.start()
    wish = {"ssid": "w", "password": "", "code": door.code, "gateway": f"127.0.0.1:{door.port}"}
    config.write_text(json.dumps(OLD | {"setup": wish | {"own_password": "23456789"}}))
    with monkeypatch.context() as until_the_cut:
        flash = Flash(until_the_cut, cut_at)
        with contextlib.suppress(PowerCut):
            asyncio.run(setup.run(Air(), config.read_text()))  # type: ignore[arg-type]
            setup.settle(config.read_text(), slept.clear)
    door.withdraw()
    thread.join(10)
    assert (flash.left > 0) == (cut_at > 8), "every step was cut once"

    setup.settle(config.read_text(), slept.clear)  # the next start
    found = json.loads(config.read_text())
    assert found["setup"].pop("own_password") == "23456789"
    if found["node"] == "tb-01":
        assert found == OLD | {"setup": wish}
        assert len(list(ring.iterdir())) == 3
        assert slept
        assert Path("broker-ca.pem").read_text() == "the old one"
        assert cut_at < 4
    else:
        authority = found["broker"].pop("ca_file")
        assert Path(authority).read_text() == "the new one"
        del found["wifi"]
        assert found == {k: v for k, v in NEW.items() if k != "ca"} | {"setup": {}}
        assert not list(ring.iterdir())
        assert not slept


def test_who_holds_the_button_at_a_start_gets_the_page_and_the_station_works_on_after_it(
    new_node: Callable[..., NodeProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("NONGSO_SETUP_PORT", str(port))
    node = new_node(setup={"own_password": "23456789", "open_seconds": 1})
    before = (node.folder / "config.json").read_text()
    button = node.folder / "held-0"
    button.touch()
    node.start()
    assert "Trạm này đã dùng ở nơi khác" in until(Phone(port).page, "the page")
    button.unlink()
    assert node.wait() == 3, "nobody came with a code, and it starts anew"
    assert (node.folder / "config.json").read_text() == before
    node.start()
    until(lambda: "node tb-01 of tan-binh starts" in node.words(), "the station at its work")
    assert "23456789" not in node.words()


def test_what_a_board_had_not_sent_is_never_told_under_the_name_that_a_cable_gave_it(
    new_node: Callable[..., NodeProcess], gateway: Gateway
) -> None:
    node = new_node(setup={"was_elsewhere": True})
    fill_ring(node, 5)
    node.start()
    until(lambda: len(gateway.heard) > 1, "its own readings, which the ring would send last")
    assert gateway.numbers(OLD_BOOT) == set()
    assert json.loads((node.folder / "config.json").read_text())["setup"] == {}
    assert "readings that another gateway never got are given up" in node.words()


def test_a_typed_code_is_told_from_a_late_one_and_from_anothers(tmp_path: Path) -> None:
    from nongso.node import setup

    def said(code: str, door: Door) -> str:
        wish = {"ssid": "w", "password": "", "code": code, "gateway": f"127.0.0.1:{door.port}"}
        with pytest.raises(setup._Failed) as failed:
            asyncio.run(setup._claim(Air(), wish))  # type: ignore[arg-type]
        return setup._TROUBLES[str(failed.value)]

    now = [0.0]
    for board, ends_at, code, words in (
        (None, 0.0, WRONG, "mã cũ còn dùng được"),
        ("02" * 8, 0.0, "", "Mã này dành cho trạm khác"),
        (None, claims.OPEN_SECONDS + 1, "", "Mã nhận trạm đã hết hạn"),
    ):
        now[0] = 0.0
        door = Door("127.0.0.1", 0, lambda _: {}, lambda: now[0], board)
        server = threading.Thread(target=door._server.serve_forever, args=(0.05,))
        server.start()
        now[0] = ends_at
        try:
            assert words in said(code or door.code, door)
        finally:
            door._server.shutdown()
            door._server.server_close()
            server.join(10)


def test_a_board_without_a_name_is_set_up_over_its_own_page(
    shed: Shed, tmp_path: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not boards.has_micropython():
        pytest.skip("MicroPython has no package for this Python")
    port = free_port()
    monkeypatch.setenv("NONGSO_SETUP_PORT", str(port))
    node = NodeProcess(tmp_path / "node", {"setup": {}}, True)
    phone = Phone(port)
    fields = {
        "ssid": "Nông trại & vườn",
        "password": "mat khau rat dai",
        "code": WRONG,
        "gateway": f"127.0.0.1:{shed.door.port}",
    }
    try:
        node.start()
        page = until(phone.page, "the board's own page")
        assert "Mã nhận trạm" in page
        brought = phone.page(query="code=ABCDE-FGHJK&gateway=192.168.1.10:8082")
        assert 'value="ABCDE-FGHJK"' in brought
        assert 'value="192.168.1.10:8082"' in brought
        assert "Mã nhận trạm có 10 chữ và số" in phone.page(fields | {"code": "abc"})
        assert 'value="Nông trại &amp; vườn"' in phone.page(fields | {"password": "short"})
        assert "Đã lưu" in phone.page(fields)
        assert node.wait() == 3, "it starts anew"

        node.start()  # with a wrong code
        page = until(phone.page, "the page again")
        assert "Xin xem lại từng chữ; mã cũ còn dùng được" in page
        typed = f"{shed.door.code[:5].lower()}-{shed.door.code[5:]}"
        assert "Đã lưu" in phone.page(fields | {"code": typed})
        assert node.wait() == 3

        node.start()  # asks, and is let in
        assert node.wait() == 3
        written = json.loads((node.folder / "config.json").read_text())
        assert (written["node"], written["eui64"]) == ("tb-07", NUMBER)
        assert written["wifi"]["ssid"] == "Nông trại & vườn"
        assert written["key"] == load(shed.file).nodes[0].key
        assert shed.door.admitted == NUMBER
        assert "mat khau" not in node.words()
        node.start()
        until(lambda: "node tb-07 of tan-binh starts" in node.words(), "the node itself")
    finally:
        node.kill()
