"""A new version of the node's program over the air: real gateway parts, broker and node."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.firmware.conftest import EUI64, NODE, Broker, NodeProcess, on_boards, until
from tests.firmware.shed import CRASHES, HANGS, KEY, Shed, changed

from nongso.commands import node_rollout
from nongso.commands.node_version import Version, compiled
from nongso.gateway.simulated import boards

NewNode = Callable[..., NodeProcess]


@pytest.fixture(scope="module")
def good() -> Version:
    """The program as it is, compiled for boards."""
    if not boards.has_micropython():
        pytest.skip("MicroPython has no package for this Python")
    return compiled(boards.firmware_folder())


@pytest.fixture
def shed(tmp_path: Path, broker: Broker) -> Iterator[Shed]:
    made = Shed(tmp_path / "shed", broker.port)
    yield made
    made.close()


class Kept:
    """Keeps a node running as the household of ``nongso up`` does."""

    def __init__(self, node: NodeProcess) -> None:
        self.node = node
        self.starts = 0
        self.statuses: list[int] = []

    def tend(self) -> None:
        process = self.node.process
        if process is None or process.poll() is not None:
            if process is not None:
                self.statuses.append(process.returncode)
            self.node.start()
            self.starts += 1

    def until(self, condition: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
        def look() -> Any:
            self.tend()
            return condition()

        try:
            return until(look, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.node.words()[-3000:]}") from None


@pytest.fixture
def kept(new_node: NewNode) -> Kept:
    return Kept(new_node(key=KEY))


def test_a_new_version_is_fetched_tried_and_kept_and_a_second_brings_only_what_changed(
    kept: Kept, shed: Shed, good: Version, tmp_path: Path
) -> None:
    kept.until(lambda: shed.program().get("state") == "running", "the node's first word")
    assert shed.program()["number"] == 0
    number = shed.roll_out(good)
    kept.until(lambda: shed.program()["number"] == number, "the new version")
    kept.until(lambda: shed.program()["state"] == "running", "that it is kept")
    assert kept.statuses == [3], "one start anew, asked for by the node"
    states = ["running", "offered", "fetching", "trial", "running"]
    kept.until(lambda: [row["state"] for row in shed.told()] == states, "that all was told")
    assert (kept.node.folder / "a" / "run.mpy").exists()
    everything = shed.updates.report()[NODE]["sent_bytes"]
    assert everything >= sum(map(len, good.contents.values()))

    source = (boards.firmware_folder() / "run.py").read_text()
    again = changed(source + "\nX = 1\n", tmp_path)
    second = shed.roll_out(again)
    kept.until(lambda: shed.program()["number"] == second, "the second version")
    kept.until(lambda: shed.program()["state"] == "running", "that it is kept too")
    assert shed.updates.report()[NODE]["sent_bytes"] < everything / 4
    assert (kept.node.folder / "b" / "run.mpy").exists()


@pytest.mark.parametrize(
    ("source", "why"),
    [
        pytest.param(HANGS, "hung", id="hangs"),
        pytest.param(CRASHES, "crashed", id="crashes", marks=on_boards),
    ],
)
def test_a_version_that_hangs_or_crashes_rolls_back_by_itself_and_says_so(
    kept: Kept,
    shed: Shed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    why: str,
) -> None:
    monkeypatch.setenv("NONGSO_WATCHDOG_SPEED", "8")
    shed.roll_out(changed(source, tmp_path))
    kept.until(lambda: shed.program().get("state") == "rolled_back", "the roll-back")
    assert shed.program()["why"] == why
    assert shed.program()["number"] == 0, "what ran before runs again"
    row = kept.until(lambda: (shed.told() or [{}])[-1].get("why") and shed.told()[-1], "the word")
    assert (row["state"], row["why"], row["eui64"]) == ("rolled_back", why, EUI64)
    states = [row["state"] for row in shed.told()]
    assert states[-3:] == ["fetching", "trial", "rolled_back"], "on trial it is silent"
    accepted = shed.inbox.accepted
    kept.until(lambda: shed.inbox.accepted > accepted, "a reading")


@on_boards
def test_a_version_whose_readings_are_not_acknowledged_rolls_back(
    new_node: NewNode, shed: Shed, tmp_path: Path
) -> None:
    kept = Kept(new_node(key=KEY, trial_seconds=5))
    source = (boards.firmware_folder() / "run.py").read_text()
    begin = "        starts_anew = asyncio.run(station.run())\n"
    deaf = source.replace(begin, "        station._uplink._ack += 'x'\n" + begin)
    assert deaf != source
    shed.roll_out(changed(deaf, tmp_path))
    kept.until(lambda: shed.program().get("state") == "rolled_back", "the roll-back")
    assert shed.program()["why"] == "unheard"


def test_what_is_not_signed_with_its_key_is_refused(
    new_node: NewNode, shed: Shed, good: Version
) -> None:
    kept = Kept(new_node(key="00" * 32))
    shed.roll_out(good)
    kept.until(lambda: shed.program().get("state") == "refused", "the refusal")
    assert shed.program()["why"] == "signature"
    assert not (kept.node.folder / "a").exists()


@on_boards
def test_an_older_version_is_refused_unless_the_step_back_is_meant(
    kept: Kept, shed: Shed, good: Version
) -> None:
    old = shed.roll_out(good)
    new = shed.roll_out(good)
    assert new > old
    kept.until(lambda: shed.program().get("number") == new, "the new version")
    kept.until(lambda: shed.program()["state"] == "running", "that it is kept")
    folder = shed.settings.updates_folder
    node_rollout.want(folder, old, [NODE], False)
    kept.until(lambda: shed.program()["state"] == "refused", "the refusal")
    assert shed.program()["why"] == "older"
    node_rollout.want(folder, old, [NODE], True)
    kept.until(lambda: shed.program()["number"] == old, "the older version")
    kept.until(lambda: shed.program()["state"] == "running", "that it is kept")


@on_boards
def test_pieces_that_come_damaged_are_never_run(kept: Kept, shed: Shed, good: Version) -> None:
    number = shed.roll_out(good)
    path = next(f.sha256 for f in good.files if f.path == "run.mpy")
    piece = shed.settings.updates_folder / str(number) / path
    piece.write_bytes(bytes(len(piece.read_bytes())))
    kept.until(lambda: shed.program().get("state") == "refused", "the refusal")
    assert shed.program()["why"] == "damaged"
    assert kept.starts == 1


@on_boards
def test_killed_while_it_fetches_the_node_goes_on_with_the_old_version_and_fetches_the_rest(
    kept: Kept, shed: Shed, good: Version
) -> None:
    number = shed.roll_out(good)
    everything = sum(map(len, good.contents.values())) + len(good.listing)
    for share in (0.1, 0.45, 0.8):
        sent = everything * share
        kept.until(lambda s=sent: shed.program().get("sent_bytes", 0) > s, "a part of it")
        kept.node.kill()
        assert not (kept.node.folder / "a" / "version.json").exists()
    kept.until(lambda: shed.program()["number"] == number, "the new version")
    kept.until(lambda: shed.program()["state"] == "running", "that it is kept")
    assert shed.updates.report()[NODE]["sent_bytes"] < everything * 1.5, "it begins no file twice"
