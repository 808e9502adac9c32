"""The gateway as a process: killed at any moment, ended politely, started twice, started wrong."""

import json
import os
import random
import signal
import time

import pytest
from control_box import KEY, PASSWORDS, Box, message, until
from small_office import Office

from nongso.gateway.store import Store


def is_up(box: Box) -> bool:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", box.settings.status_port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        found = json.loads(connection.getresponse().read())
        return bool(found["broker_connected"])
    except OSError:
        return False
    finally:
        connection.close()


def test_the_gateway_ends_politely_and_quickly(box: Box) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        process = box.process()
        until(lambda: is_up(box), "the gateway is up")
        started = time.monotonic()
        assert process.ask_to_end(number) == 0
        assert time.monotonic() - started < 3.0
    text = process.log.read_text()
    assert "SIMULATED" in text
    assert KEY not in text
    assert all(password not in text for password in PASSWORDS.values())
    assert "Traceback" not in text


def test_wrong_settings_end_it_with_a_sentence(box: Box) -> None:
    found = json.loads(box.settings_file.read_text())
    found["status_prot"] = 1
    box.settings_file.write_text(json.dumps(found))
    process = box.process()
    assert process.wait() == 1
    assert "unknown key status_prot" in process.log.read_text()
    assert "Traceback" not in process.log.read_text()


def test_a_second_gateway_on_the_same_folder_is_refused(box: Box) -> None:
    first = box.process()
    until(lambda: is_up(box), "the gateway is up")
    second = box.process()
    assert second.wait() == 1
    assert second.says("in use by another gateway process")
    assert first.is_running()


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.walk) for seed in range(2, 8))]
)
def test_nothing_acknowledged_is_lost_when_the_gateway_is_killed(
    box: Box, office: Office, seed: int
) -> None:
    """Killed three times at random moments under load: what a node was told is in the office."""
    chance = random.Random(seed)
    node, other = box.speaker("tb-01"), box.speaker("tb-02")
    nodes = {"tb-01": node, "tb-02": other}
    sent = 0
    for _ in range(3):
        process = box.process()
        until(lambda: is_up(box), "the gateway is up")
        until_ = time.monotonic() + chance.uniform(0.05, 0.5)
        while time.monotonic() < until_:
            for slug, speaker in nodes.items():
                for seq in range(sent, sent + 20):
                    speaker.send(message(seq, node=slug))
            sent += 20
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    process = box.process()
    until(lambda: is_up(box), "the gateway is up")
    everything = {(7, seq) for seq in range(sent)}
    for slug, speaker in nodes.items():  # nodes send again what they were not told of
        for _, seq in sorted(everything - speaker.told):
            speaker.send(message(seq, node=slug))
    until(lambda: all(s.told >= everything for s in nodes.values()), "all are told", 120)
    until(lambda: len(office.messages()) == 2 * sent, "all are in the office", 120)
    assert process.ask_to_end() == 0
    assert len(office.of_kind("readings")) == 2 * sent  # and none of them twice
    store = Store(box.settings.store_file)
    assert store.report()["rows"]["telemetry"] == 0
    assert not list(box.folder.glob("*.damaged*"))
    store.close(2.0)


def test_water_is_looked_after_while_broker_platform_and_disk_are_away(
    box: Box, office: Office
) -> None:
    office.close()
    box.settings.store_file.mkdir()
    found = json.loads(box.settings_file.read_text())
    found["broker"]["port"] = 1
    box.settings_file.write_text(json.dumps(found))
    process = box.process()
    until(lambda: process.says("supervisor does not answer"), "watering asks for its supervisor")
    until(lambda: process.says("does not let us in"), "the broker is missed")
    until(lambda: process.says("cannot be reached"), "the platform is missed")
    until(lambda: process.says("cannot be written"), "the disk is missed")
    assert process.is_running()
    assert process.ask_to_end() == 0
