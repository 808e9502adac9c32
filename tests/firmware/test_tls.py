"""A node that speaks TLS, to brokers that are who they say and to others. On both interpreters."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.firmware.conftest import Broker, Gateway, NodeProcess, until
from tests.firmware.test_station import Hand
from tests.firmware.tls_broker import Guarded, make_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def new_guarded(tmp_path: Path, certificates: Path) -> Iterator[Callable[[str], Guarded]]:
    made: list[Guarded] = []

    def make(purpose: str) -> Guarded:
        made.append(Guarded(tmp_path, certificates, purpose))
        made[-1].start()
        return made[-1]

    yield make
    for broker in made:
        broker.kill()


def test_samples_arrive_through_tls(
    new_node: Callable[..., NodeProcess],
    new_guarded: Callable[[str], Guarded],
    certificates: Path,
    interpreter: str,
) -> None:
    broker = new_guarded("good")
    gateway = Gateway(broker.port)
    node = new_node(interpreter, broker=broker.entry)
    node.start()
    try:
        until(lambda: len(gateway.heard) >= 3, "samples")
        assert node.end() == 0
    finally:
        gateway.close()


@pytest.mark.parametrize("purpose", ["stranger", "elsewhere", "expired"])
def test_a_broker_that_cannot_prove_who_it_is_gets_nothing(
    new_node: Callable[..., NodeProcess],
    new_guarded: Callable[[str], Guarded],
    certificates: Path,
    purpose: str,
) -> None:
    broker = new_guarded(purpose)
    gateway = Gateway(broker.port)
    node = new_node(broker=broker.entry)
    node.start()
    try:
        until(lambda: "link to the broker: no broker at localhost" in node.words(), "its word")
        assert "certificate" in node.words().lower()
        assert gateway.heard == []
        assert gateway.status == []
    finally:
        gateway.close()


def test_without_the_time_nothing_is_trusted_and_what_was_measured_waits(
    tmp_path: Path,
    config: dict[str, Any],
    new_guarded: Callable[[str], Guarded],
    capsys: pytest.CaptureFixture[str],
) -> None:
    broker = new_guarded("good")
    gateway = Gateway(broker.port)
    hand = Hand(config | {"broker": broker.entry}, tmp_path)
    hand.start()
    words = ""

    def said(word: str) -> bool:
        nonlocal words
        words += capsys.readouterr().out
        return word in words

    try:
        until(lambda: said("no time yet, so its certificate cannot be checked"), "its word")
        ring = Path(hand.board.folder) / "ring" / "00000001.seg"
        until(lambda: ring.exists() and ring.stat().st_size > 60, "samples in the ring")
        assert (gateway.heard, gateway.status) == ([], [])
        hand.board.clock = int(time.time())
        until(lambda: 1 in gateway.numbers(hand.boot), "the first sample, from before", 30)
        assert said("link to the broker: up")
    finally:
        hand.end()
        gateway.close()


def test_an_authority_that_cannot_be_read_is_a_sentence(
    new_node: Callable[..., NodeProcess], broker: Broker, tmp_path: Path, interpreter: str
) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    for ca_file in (str(tmp_path / "ca.pem"), "nowhere.pem"):
        node = new_node(interpreter, broker={"host": "localhost", "ca_file": ca_file})
        node.start()
        assert node.wait() == 1
        assert f"broker.ca_file {ca_file} cannot be used" in node.words()
