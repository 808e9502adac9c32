"""Whatever is said to the supervisor, it answers, goes on, and opens only what was ordered."""

import json
import socket
from typing import Any

import pytest
from farm_house import K1, House
from hypothesis import example, given, settings
from hypothesis import strategies as st
from model_board import ZONES, Rig

HUGE = int("9" * 400)

seconds = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**420)
    | st.floats()
    | st.text(max_size=5)
    | st.just([20])
    | st.just(20)
)
zones = st.none() | st.sampled_from([*ZONES, "roof", "k1\x00", "\ud800"]) | st.integers()
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
requests = st.fixed_dictionaries(
    {"do": st.sampled_from(["open", "stop", "renew", "read", "unlock", "", None, ["open"], 7])},
    optional={
        "zone": zones | values,
        "seconds": seconds | values,
        "id": st.text(max_size=5) | values,
        "heard": st.lists(st.text(max_size=5)) | values,
    },
)
lines = st.binary(max_size=200) | (requests | values).map(lambda r: json.dumps(r).encode())


def may_open(line: bytes) -> bool:
    """Say whether a line is an order that the contract knows."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict) or found.get("do") != "open":
        return False
    asked, run_id = found.get("seconds"), found.get("id")
    return (
        isinstance(run_id, str)
        and 1 <= len(run_id) <= 100
        and found.get("zone") in list(ZONES)
        and isinstance(asked, int | float)
        and not isinstance(asked, bool)
        and 1 <= asked <= ZONES[found["zone"]][1]
    )


def answer(rig: Rig, line: bytes) -> dict[str, Any]:
    """The desk's answer: always one line of strict JSON."""

    def forbidden(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    said = rig.desk.line("gateway", line)
    assert said.endswith(b"\n")
    assert said.count(b"\n") == 1
    found: dict[str, Any] = json.loads(said, parse_constant=forbidden)
    return found


@pytest.mark.parametrize(
    "asked",
    [
        b"9" * 400,
        b"-" + b"9" * 400,
        b"9" * 5000,
        b"1e400",
        b"-1e400",
        b"NaN",
        b"Infinity",
        b"true",
        b'"20"',
        b"-5",
        b"0",
        b"0.5",
        b"null",
        b"[20]",
        b"601",
        b"1e-400",
    ],
)
def test_seconds_that_nobody_can_mean_are_refused_and_nothing_ends(asked: bytes) -> None:
    rig = Rig()
    rig.loop()
    said = answer(rig, b'{"do":"open","zone":"k1","id":"a","seconds":%s}' % asked)
    if asked != b"9" * 5000:  # longer than Python reads a number: not a request at all
        assert (said["id"], said["state"]) == ("a", "refused")
        assert said["code"] in ("not_understood", "seconds_out_of_range")
    else:
        assert said["error"] == "not_understood"
    rig.turn(2)
    assert not any(on for _, _, on in rig.board.edges)
    assert rig.ask(do="open", zone="k1", id="b", seconds=5)["state"] == "running"


@settings(max_examples=400, deadline=None)
@given(st.lists(lines, max_size=8))
@example([b'{"do":"open","zone":"k1","id":"a","seconds":%d}' % HUGE])
@example([b"[" * 60_000])
@example([b'{"do":' + b"[" * 30_000 + b"]" * 30_000 + b"}"])
@example([b"\xff\xfe\x00", b"\x00" * 7, b"\xef\xbb\xbf{}"])
def test_no_line_ends_the_supervisor_or_opens_what_nobody_ordered(said: list[bytes]) -> None:
    rig = Rig()
    rig.loop()
    for line in said:
        found = answer(rig, line)
        assert "error" in found or "do" not in found
        rig.loop()
    rig.turn(0.5)
    if not any(may_open(line) for line in said):
        assert not any(on for _, _, on in rig.board.edges)
    assert answer(rig, b'{"do":"stop"}')["state"] in ("closed", "closing")
    rig.turn(2)
    assert not any(rig.board.on)


def test_a_supervisor_at_work_goes_on_after_a_number_of_400_digits(house: House) -> None:
    house.start_farm()
    supervisor = house.start_supervisor()
    for asked in (b"9" * 400, b"1e400", b"NaN", b"true", b'"20"', b"-1"):
        with socket.socket(socket.AF_UNIX) as rude:
            rude.settimeout(5)
            rude.connect(str(house.socket))
            zone = K1.encode()
            rude.sendall(b'{"do":"open","zone":"%s","id":"a","seconds":%s}\n' % (zone, asked))
            assert json.loads(rude.makefile().readline())["state"] == "refused"
    assert supervisor.poll() is None
    assert not any(edge["on"] for edge in house.edges())
    assert house.valves().open(K1, 1, "b")["state"] == "running"
