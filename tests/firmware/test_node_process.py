"""A whole node process against a real broker: nothing is lost, nothing is forgotten early."""

import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.firmware.conftest import (
    OLD_BOOT,
    TRUTH,
    Broker,
    Gateway,
    NodeProcess,
    fill_ring,
    in_ring,
    until,
)

from nongso.gateway.simulated.chips import ChipBus
from nongso.wire import payload

NewNode = Callable[..., NodeProcess]


def boots(gateway: Gateway) -> list[int]:
    """Boot numbers of the node's own samples, in order of their appearance."""
    return list(dict.fromkeys(boot for boot, _, _ in list(gateway.heard) if boot != OLD_BOOT))


def test_samples_arrive_and_are_forgotten_after_the_acknowledgement(
    new_node: NewNode, gateway: Gateway, interpreter: str
) -> None:
    node = new_node(interpreter)
    fill_ring(node, 200)
    node.start()
    until(lambda: len(gateway.numbers(OLD_BOOT)) == 200, "the old samples")
    until(lambda: boots(gateway) and len(gateway.numbers(boots(gateway)[0])) >= 3, "new samples")
    assert gateway.status[0] == ("online", False)
    pack = json.loads(gateway.heard[-1][2])
    assert payload.readings(pack, 1 << 40)[0].mark & 16, "a simulated board must say so"
    names = {r.name for r in payload.readings(pack, 1 << 40)}
    assert names == {"air_temperature", "air_humidity", "light", "soil_moisture"}
    assert pack[3]["v"] == 24.5
    until(lambda: in_ring(node) == [], "all to be forgotten")
    assert node.end() == 0
    until(lambda: gateway.status[-1][0] == "offline", "the goodbye")
    order = [seq for boot, seq, _ in gateway.heard if boot == OLD_BOOT]
    assert list(dict.fromkeys(order)) == list(range(1, 201))


@pytest.mark.walk
def test_without_acknowledgement_it_sends_again_and_forgets_nothing(
    new_node: NewNode, gateway: Gateway
) -> None:
    gateway.acknowledges = False
    node = new_node(interval_seconds=3600)
    fill_ring(node, 3)
    node.start()

    def sendings() -> list[bytes]:
        return [m for b, s, m in list(gateway.heard) if (b, s) == (OLD_BOOT, 1)]

    until(lambda: len(sendings()) >= 3, "a third sending")
    assert len(set(sendings())) == 1, "the same bytes each time"
    gateway.say("ack", b'{"boot":%d,"from":1,"seq":3}' % (OLD_BOOT + 1))
    gateway.say("ack", b'{"boot":%d,"from":4,"seq":900}' % OLD_BOOT)
    gateway.say("ack", b"nonsense")
    gateway.say("ack", b"\xff\xfe[[[[")
    gateway.say("down", b"x" * 100_000)
    gateway.acknowledge(OLD_BOOT, 2, 3)  # not yet the first
    heard = len(gateway.heard)
    until(lambda: len(gateway.heard) > heard + 1, "one more sending")
    assert in_ring(node)[:3] == [(OLD_BOOT, 1), (OLD_BOOT, 2), (OLD_BOOT, 3)]
    gateway.acknowledge(OLD_BOOT, 1, 1)
    until(lambda: in_ring(node) and in_ring(node)[0][0] != OLD_BOOT, "the forgetting")
    assert "cannot be read" in node.words()


def test_killed_and_started_again_it_sends_what_is_not_acknowledged(
    new_node: NewNode, gateway: Gateway
) -> None:
    gateway.acknowledges = False
    node = new_node()
    node.start()
    until(lambda: len(gateway.heard) >= 2, "two samples")
    node.kill()
    until(lambda: gateway.status[-1][0] == "offline", "the last will")
    waiting = in_ring(node)
    first_boot = waiting[0][0]
    assert gateway.numbers(first_boot) <= {seq for _, seq in waiting}
    gateway.heard.clear()
    gateway.acknowledges = True
    node.start()
    until(lambda: gateway.numbers(first_boot) >= {seq for _, seq in waiting}, "the old samples")
    until(lambda: len(boots(gateway)) == 2, "samples of the new boot")
    assert gateway.status[-1] == ("online", False)
    until(lambda: in_ring(node) == [], "all to be forgotten")
    assert node.end() == 0
    assert len(in_ring(node)) <= 1, "at most what was measured just now"


@pytest.mark.walk
def test_a_broker_that_falls_and_forgets_costs_nothing(
    new_node: NewNode, gateway: Gateway, broker: Broker
) -> None:
    gateway.acknowledges = False
    node = new_node()
    fill_ring(node, 30)
    node.start()
    until(lambda: len(gateway.numbers(OLD_BOOT)) >= 4, "a window of samples")
    broker.kill()  # it had confirmed them all, and keeps nothing
    gateway.heard.clear()
    gateway.acknowledges = True
    until(lambda: "link to the broker" in node.words(), "the node's word on it")
    broker.start()
    until(lambda: gateway.numbers(OLD_BOOT) == set(range(1, 31)), "all old samples")
    boot = until(lambda: boots(gateway), "a new sample")[0]
    until(lambda: len(gateway.numbers(boot)) >= 3, "new samples")
    numbers = gateway.numbers(boot)
    assert numbers == set(range(1, max(numbers) + 1)), "also those measured meanwhile"
    assert node.words().count("link to the broker") == 2, "the first failure and the recovery"


@pytest.mark.walk
def test_a_node_that_starts_before_the_broker_waits_for_it(
    new_node: NewNode, broker: Broker
) -> None:
    broker.kill()
    node = new_node()
    node.start()
    until(lambda: "no broker at 127.0.0.1" in node.words(), "the node's word on it")
    until(lambda: len(in_ring(node)) >= 2, "samples in the ring")
    broker.start()
    gateway = Gateway(broker.port)
    until(lambda: in_ring(node) == [] or len(gateway.heard) >= 3, "the samples")
    assert node.end() == 0
    gateway.close()


def test_sensors_that_fail_send_a_word_and_numbers_again_when_they_are_back(
    new_node: NewNode, gateway: Gateway, chip_bus: ChipBus
) -> None:
    def last(name: str) -> Any:
        found = {r["n"]: r.get("vs", r.get("v")) for r in json.loads(gateway.heard[-1][2])}
        return found[name]

    chips = chip_bus.chips("tb-01")
    chips.sht4x.absent = chips.soil.broken_wire = True
    node = new_node()
    node.start()
    until(lambda: gateway.heard, "a sample")
    assert last("air_temperature") == last("air_humidity") == "absent"
    assert last("soil_moisture") == "out_of_range"
    assert last("light") == 61000
    chips.sht4x.absent = chips.soil.broken_wire = False
    chips.sht4x.crc_broken = True
    until(lambda: last("air_temperature") == "crc_error", "a checksum error")
    chips.sht4x.crc_broken = False
    until(lambda: last("air_temperature") == 24.5, "the temperature")
    assert abs(last("soil_moisture") - 0.444) < 0.003
    assert "sensor sht4x: absent" in node.words()
    assert "sensor sht4x: gives numbers again" in node.words()


@pytest.mark.walk
def test_a_farm_process_that_is_gone_is_absent_sensors_and_comes_back(
    new_node: NewNode, gateway: Gateway, chip_bus: ChipBus, config: dict[str, Any]
) -> None:
    host, port = chip_bus.address
    chip_bus.stop()
    node = new_node()
    node.start()
    until(lambda: gateway.heard, "a sample")
    assert b'"light","vs":"absent"' in gateway.heard[0][2]
    again = ChipBus(host, port, lambda _: {**TRUTH, "light": 500.0})
    again.start()
    try:
        until(lambda: b'"light","u":"lx","v":501' in gateway.heard[-1][2], "the light")
    finally:
        again.stop()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"farm": "Tân Bình"}, "not a slug"),
        ({"board": {}}, "board.simulated must name"),
        ({"board": {"simulated": "here"}}, "HOST:PORT"),
        ({"sensors": [{"chip": "dht22"}]}, "no driver for the chip 'dht22'"),
        ({"sensors": [{"chip": "soil", "dry": 1.5}]}, "sensor soil: dry must be a whole number"),
        ({"sensors": [{"chip": "soil", "pin": 34, "dry": 5, "wet": 6}]}, "100 counts apart"),
        ({"sensors": [{"chip": "bh1750"}, {"chip": "bh1750", "address": 92}]}, "channel"),
        ({"sensors": [{"chip": "sht4x", "address": 500}]}, "address must be from 8 to 119"),
    ],
)
def test_an_unusable_configuration_is_one_sentence_and_status_1(
    new_node: NewNode, interpreter: str, changes: dict[str, Any], sentence: str
) -> None:
    node = new_node(interpreter, **changes)
    node.start()
    assert node.wait() == 1
    assert sentence in node.words()
    assert len(node.words().splitlines()) == 1
    assert "Traceback" not in node.words()


def test_a_folder_without_configuration_is_one_sentence(
    new_node: NewNode, interpreter: str
) -> None:
    node = new_node(interpreter)
    (node.folder / "config.json").unlink()
    node.start()
    assert node.wait() == 1
    assert "config.json cannot be read" in node.words()


def test_two_probes_have_two_names(new_node: NewNode, gateway: Gateway) -> None:
    node = new_node(
        sensors=[
            {"chip": "soil", "pin": 34, "dry": 2900, "wet": 1200},
            {"chip": "soil", "pin": 35, "dry": 2900, "wet": 1200, "channel": 2},
        ]
    )
    node.start()
    until(lambda: gateway.heard, "a sample")
    names = [r["n"] for r in json.loads(gateway.heard[0][2])]
    assert names[-2:] == ["soil_moisture", "soil_moisture.2"]


@pytest.mark.walk
def test_a_full_disk_stops_neither_measuring_nor_sending(
    new_node: NewNode, gateway: Gateway
) -> None:
    node = new_node()
    node.start(log_through_pipe=True)
    assert node.process is not None
    until(lambda: gateway.heard, "a sample")
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    until(lambda: "cannot write" in node.words(), "the node's word on it")
    heard = len(gateway.heard)
    until(lambda: len(gateway.heard) >= heard + 2, "samples from memory")
    resource.prlimit(
        node.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    until(lambda: "can write again" in node.words(), "the recovery")
    boot = boots(gateway)[0]
    numbers = gateway.numbers(boot)
    assert numbers == set(range(1, max(numbers) + 1))
    until(lambda: in_ring(node) == [], "all to be forgotten")
    assert node.end() == 0
    assert len(in_ring(node)) <= 1, "at most what was measured just now"


def test_a_read_only_folder_is_one_sentence(new_node: NewNode) -> None:
    node = new_node()
    (node.folder / "ring").write_text("a file in the way")
    node.start()
    assert node.wait() == 1
    assert "cannot start" in node.words()


def test_ctrl_c_ends_it_with_status_0(new_node: NewNode) -> None:
    """Under CPython. A PC's MicroPython takes Ctrl-C even while it collects, its heap locked."""
    node = new_node("cpython")
    node.start()
    assert node.process is not None
    until(lambda: "starts, boot" in node.words(), "the start")
    until(lambda: in_ring(node), "a sample")
    node.process.send_signal(signal.SIGINT)
    assert node.wait() == 0, node.words()
    assert "Traceback" not in node.words()


@pytest.mark.walk
def test_a_paused_node_and_a_paused_broker_lose_nothing(
    new_node: NewNode, gateway: Gateway, broker: Broker
) -> None:
    node = new_node()
    node.start()
    assert node.process is not None
    until(lambda: gateway.heard, "a sample")
    boot = boots(gateway)[0]
    broker.pause(True)
    until(lambda: len(in_ring(node)) >= 2, "samples that wait")
    last = max(seq for _, seq in in_ring(node))
    broker.pause(False)
    node.process.send_signal(signal.SIGSTOP)
    node.process.send_signal(signal.SIGCONT)
    until(lambda: gateway.numbers(boot) >= set(range(1, last + 1)), "all samples")


def test_starting_takes_little_memory_of_the_machine(new_node: NewNode, gateway: Gateway) -> None:
    node = new_node()
    node.start()
    assert node.process is not None
    until(lambda: gateway.heard, "a sample")
    status = Path(f"/proc/{node.process.pid}/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0])
    assert resident < 32_000, f"{resident} kB"
    assert os.path.exists(node.folder / "ring" / "00000001.seg")


def test_a_node_that_cannot_start_says_what_where_and_what_to_do(
    new_node: NewNode, interpreter: str
) -> None:
    node = new_node(interpreter)
    (node.folder / "ring").write_text("not a folder")
    node.start()
    assert node.wait() == 1
    assert "The node cannot start. ./ring is a file" in node.words()
    assert "rename or delete the file" in node.words()
    (node.folder / "config.json").write_bytes(b"\xff\xfe\x00")
    node.start()
    assert node.wait() == 1
    assert "is no text: copy it anew" in node.words()
    assert "Traceback" not in node.words()


def test_a_node_under_the_name_of_another_user_says_so_at_its_start(new_node: NewNode) -> None:
    node = new_node(node="tb-02")
    node.start()
    until(lambda: "node is tb-02, but broker.user is tb-01" in node.words(), "the warning")
    assert node.end() == 0
    right = new_node()
    right.log.unlink()
    right.start()
    until(lambda: "link to the broker" in right.words() or "starts" in right.words(), "the start")
    assert right.end() == 0
    assert "broker.user" not in right.words()


def test_what_is_acknowledged_in_time_never_touches_the_flash(
    new_node: NewNode, gateway: Gateway
) -> None:
    node = new_node(samples_in_memory=10)
    node.start()
    until(lambda: boots(gateway) and len(gateway.numbers(boots(gateway)[0])) >= 3, "samples")
    gateway.acknowledges = False
    assert not list((node.folder / "ring").iterdir())
    heard = len(gateway.heard)
    until(lambda: len(gateway.heard) > heard, "a sample that waits")
    assert node.end() == 0  # and told to end it keeps what nobody has
    waiting = in_ring(node)
    assert waiting
    assert waiting[-1][1] >= len(gateway.numbers(boots(gateway)[0]))


@pytest.mark.walk
def test_a_broker_that_falls_makes_the_node_keep_what_it_has(
    new_node: NewNode, gateway: Gateway, broker: Broker
) -> None:
    gateway.acknowledges = False
    node = new_node(samples_in_memory=10)
    node.start()
    until(lambda: len(gateway.heard) >= 2, "samples")
    assert in_ring(node) == []
    broker.kill()
    until(lambda: in_ring(node), "the samples on the flash")


def test_a_crash_is_kept_and_told_at_the_next_start(new_node: NewNode, broker: Broker) -> None:
    node = new_node()
    (node.folder / "ring").write_text("a file where the folder should be")
    node.start()
    assert node.wait() == 1
    assert "The node cannot start" in node.words()
    assert not (node.folder / "crash.txt").exists()  # that was no crash, but a sentence
    (node.folder / "ring").unlink()
    (node.folder / "origins").mkdir()
    (node.folder / "starts").unlink()
    (node.folder / "starts").mkdir()  # not even this stops it
    node.start()
    until(lambda: "starts, boot" in node.words(), "the start")
    assert node.end() == 0


@pytest.mark.walk
def test_a_board_that_sleeps_wakes_as_itself(new_node: NewNode, gateway: Gateway) -> None:
    node = new_node(sleep_every=2)
    for _ in range(3):
        node.start()
        assert node.wait() == 3  # as a board that resets itself
    until(lambda: len(boots(gateway)) == 1, "the samples")
    until(lambda: gateway.numbers(boots(gateway)[0]) == {1, 2, 3}, "all of them")
    assert node.words().count("starts, boot") == 3
    assert not list((node.folder / "ring").iterdir())
    assert not (node.folder / "crash.txt").exists()
