"""Commands verified: only the platform's own, for this gateway, answering this poll, in time."""

import json
from typing import Any

import pytest
from control_box import KEY
from hypothesis import given
from hypothesis import strategies as st
from small_office import sign

from nongso.gateway.orders import CommandRefused, verify

ID = "8f14e45f-ceea-4e1b-9c1d-000000000001"
POLL = "0123456789abcdef" * 2
WATER = {
    "id": ID,
    "gateway": "binh-lu",
    "poll": POLL,
    "ttl": 300,
    "do": "water",
    "zone": "tan-binh-1-k1",
    "seconds": 600,
    "by": "Người trồng",
}


def check(offered: Any, waited: float = 1.0) -> dict[str, Any]:
    return verify(offered, key=KEY, gateway="binh-lu", poll=POLL, waited_seconds=waited)


def refusal(offered: Any, waited: float = 1.0) -> CommandRefused:
    with pytest.raises(CommandRefused) as caught:
        check(offered, waited)
    return caught.value


def test_a_good_command_is_taken_as_it_was_signed() -> None:
    assert check(sign(WATER)) == WATER


@pytest.mark.parametrize(
    "offered",
    [
        sign(WATER, key="another gateway's key"),
        sign(WATER, body=json.dumps({**WATER, "seconds": 6000})),
        {**sign(WATER), "signature": ""},
        {**sign(WATER), "signature": sign(WATER)["signature"].upper() + "é"},
        sign({**WATER, "gateway": "bac-ha"}),
        sign({**WATER, "poll": "f" * 32}),  # replayed from another poll
        sign({**WATER, "ttl": None}),
        sign({**WATER, "ttl": True}),
        sign({**WATER, "id": "1"}),
        sign({k: v for k, v in WATER.items() if k != "id"}),
    ],
)
def test_what_the_platform_did_not_order_is_forged(offered: Any) -> None:
    assert refusal(offered).code == "forged"


@pytest.mark.parametrize(
    "offered",
    [
        None,
        [],
        "x",
        {},
        {"body": 1, "signature": "x"},
        {"body": "[]", "signature": "x"},
        {"body": "[" * 5000, "signature": ""},
        {"body": "x" * 10_000, "signature": ""},
    ],
)
def test_nonsense_is_forged_and_has_no_id(offered: Any) -> None:
    found = refusal(offered)
    assert (found.code, found.command_id) == ("forged", None)


def test_a_forged_command_keeps_its_id_for_the_record() -> None:
    assert refusal(sign(WATER, key="x" * 40)).command_id == ID


@pytest.mark.parametrize(
    ("waited", "late"), [(300.0, None), (300.5, 1), (361.0, 62), (1e9, 999_999_701)]
)
def test_a_command_ends_with_its_time(waited: float, late: int | None) -> None:
    if late is None:
        assert check(sign(WATER), waited)["id"] == ID
    else:
        found = refusal(sign(WATER), waited)
        assert (found.code, found.values) == ("expired", {"late_seconds": late})


@pytest.mark.parametrize("ttl", [0, -5, float("nan"), float("-inf"), -1e308])
def test_a_command_without_time_left_is_expired(ttl: float) -> None:
    assert refusal(sign({**WATER, "ttl": ttl})).code in ("expired", "forged")


def test_no_command_is_good_for_more_than_an_hour() -> None:
    assert refusal(sign({**WATER, "ttl": 1e12}), 3700.0).code == "expired"


@given(st.data())
def test_no_changed_bit_passes(data: st.DataObject) -> None:
    offered = sign(WATER)
    field = data.draw(st.sampled_from(["body", "signature"]))
    raw = bytearray(offered[field].encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    offered[field] = raw.decode("utf-8", "replace")
    assert refusal(offered).code == "forged"
