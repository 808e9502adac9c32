"""The message of a node, on CPython and on MicroPython: same bytes, same refusals."""

import json

from nongso.wire import marks, payload

NODE = "02a1b2c3d4e5f601"
NOW = 1790000010


def written(records, base=1790000000, **more):
    """Write a message and decode its JSON."""
    return json.loads(payload.encode(NODE, 7, 9, base, records, **more))


def changed(index, **members):
    """Return a good message with some members of one record changed."""
    pack = written([("air_temperature", 0, 2450, None), ("soil_moisture", 0, 444, None)])
    pack[index].update(members)
    return pack


def refusal(function, *arguments):
    """Return the code with which a message is refused."""
    try:
        function(*arguments)
    except payload.PayloadError as e:
        code, text = e.code, str(e)
    else:
        raise AssertionError("was accepted")
    assert len(text) < 200
    return code


def test_bytes_are_the_same_everywhere():
    message = payload.encode(
        NODE,
        1073741823,
        12,
        1790000000,
        [
            ("air_temperature", 0, -5, None),
            ("air_humidity", 0, 712, None),
            ("light", 0, 61000, None),
            ("soil_moisture", 0, 444, None),
            ("soil_moisture.2", -3, None, "absent"),
            ("air_pressure", 0, 10132, None),
            ("water_total", 0, 12345678901, None),
            ("water_flow", 0, 725, None),
        ],
        simulated=True,
    )
    assert message == (
        b'[{"bn":"urn:dev:mac:02a1b2c3d4e5f601:","bt":1790000000,"n":"boot","v":1073741823},'
        b'{"n":"seq","v":12},{"n":"simulated","vb":true},'
        b'{"n":"air_temperature","u":"Cel","v":-0.05},{"n":"air_humidity","u":"%RH","v":71.2},'
        b'{"n":"light","u":"lx","v":61000},{"n":"soil_moisture","u":"/","v":0.444},'
        b'{"n":"soil_moisture.2","t":-3,"vs":"absent"},'
        b'{"n":"air_pressure","u":"Pa","v":101320},{"n":"water_total","u":"l","v":1234567890.1},'
        b'{"n":"water_flow","u":"l/s","v":0.1208333}]'
    )


def test_values_come_back_in_the_units_of_the_farm():
    found = payload.readings(
        written([("air_temperature", 0, 2450, None), ("soil_moisture", -2, 444, None)]), NOW
    )
    assert found == [
        ("air_temperature", 1790000000, 24.5, marks.GOOD),
        ("soil_moisture", 1789999998, 44.4, marks.GOOD),
    ]


def test_a_simulated_board_says_so():
    found = payload.readings(written([("light", 0, 5, None)], simulated=True), NOW)
    assert found[0].mark == marks.GOOD | marks.SIMULATED


def test_a_failed_sensor_gives_no_number():
    found = payload.readings(written([("light", 0, None, "absent")]), NOW)
    assert found == [("light", 1790000000, None, marks.FAILED)]


def test_a_node_without_clock_counts_from_now():
    pack = written([("light", -30, 5, None)], base=None)
    assert payload.is_relative(pack)
    assert payload.readings(pack, NOW)[0].at == NOW - 30
    assert not payload.is_relative(written([("light", 0, 5, None)]))


def test_a_time_that_nobody_knows_is_marked_and_keeps_boots_apart():
    for boot in (1, 7, (1 << 30) - 1):
        pack = written([("light", 0, 5, None)], base=payload.unknown_time(boot, 500))
        assert not payload.is_relative(pack)
        assert payload.readings(pack, NOW)[0].mark == marks.UNTIMED
    assert payload.unknown_time(7, 500) != payload.unknown_time(8, 500)


def test_samples_given_up_are_told_and_are_no_reading():
    pack = written([("light", 0, 5, None)], lost=12)
    assert payload.lost(pack) == 12
    assert len(payload.readings(pack, NOW)) == 1
    assert payload.lost(written([("light", 0, 5, None)])) == 0
    assert payload.lost([{"n": "lost", "v": "many"}, {"n": "lost", "v": -1}]) == 0


def test_impossible_values_and_times_are_kept_and_marked():
    assert payload.readings(changed(2, v=80.1), NOW)[0].mark == marks.IMPOSSIBLE
    assert payload.readings(changed(3, v=-0.01), NOW)[1].mark == marks.IMPOSSIBLE
    assert payload.readings(changed(0, bt=1600000000), NOW)[0].mark == marks.UNTIMED
    assert payload.readings(changed(0, bt=NOW + 3601), NOW)[0].mark == marks.UNTIMED
    assert payload.readings(changed(0, bt=NOW + 3599), NOW)[0].mark == marks.GOOD


def test_who_sent_it_is_found_or_the_message_is_refused():
    assert payload.identify(changed(2)) == (NODE, 7, (9,))
    for pack in (
        None,
        {},
        [],
        [1],
        "text",
        [[]],
        [{}],
        changed(0, bn="urn:dev:mac:02A1B2C3D4E5F601:"),
        changed(0, bn="urn:dev:mac:02a1b2c3d4e5f601"),
        changed(0, bn="urn:dev:ow:02a1b2c3d4e5f601:"),
        changed(0, bn=5),
        changed(0, bn=["urn"]),
        changed(0, v=-1),
        changed(0, v=1.5),
        changed(0, v=True),
        changed(0, v="7"),
        changed(0, v=1 << 53),
        changed(1, v=None),
        changed(1, v=[[]]),
        changed(1, n="sequence"),
        changed(1, n="boot"),
        changed(2, n="seq", v=10),
    ):
        assert refusal(payload.identify, pack) == "no_identity"


def test_contents_that_cannot_be_accepted_are_refused_as_a_whole():
    for code, pack in (
        ("unknown_metric", changed(2, n="wind_chill")),
        ("unknown_metric", changed(2, n="air_temperature.x")),
        ("unknown_metric", changed(2, n=["light"])),
        ("unknown_metric", changed(2, n=None)),
        ("unknown_metric", changed(2, n="")),
        ("unknown_metric", changed(2, n="x" * 100000)),
        ("wrong_unit", changed(2, u="Far")),
        ("wrong_unit", changed(2, u=None)),
        ("wrong_unit", changed(2, u=["Cel"] * 1000)),
        ("not_a_number", changed(2, v="24.5")),
        ("not_a_number", changed(2, v=None)),
        ("not_a_number", changed(2, v=True)),
        ("not_a_number", changed(2, v=[])),
        ("not_a_number", changed(2, v=float("nan"))),
        ("not_a_number", changed(2, v=float("inf"))),
        ("not_a_number", changed(2, v=-float("inf"))),
        ("not_a_number", changed(2, v=10**40)),
        ("not_a_number", changed(2, t=float("nan"))),
        ("not_a_number", changed(2, t="yesterday")),
        ("not_a_number", changed(2, t=1 << 41)),
        ("not_a_number", changed(2, t=-(1 << 41))),
        ("not_a_number", changed(0, bt=1e29)),
        ("not_a_number", changed(0, bt={})),
        ("not_a_number", changed(0, bv="5")),
        ("not_a_number", changed(0, bver="ten")),
        ("not_understood", changed(0, bver=11)),
        ("not_understood", changed(2, bn="urn:dev:mac:0000000000000000:")),
        ("not_understood", changed(2, must_=1)),
    ):
        assert refusal(payload.readings, pack, NOW) == code, pack
    without_value = changed(2)
    del without_value[2]["v"]
    assert refusal(payload.readings, without_value, NOW) == "unknown_status"
    without_value[2]["vs"] = "tired"
    assert refusal(payload.readings, without_value, NOW) == "unknown_status"


def test_base_unit_and_base_value_hold_for_what_follows():
    pack = [
        {"bn": f"urn:dev:mac:{NODE}:", "bt": 1790000000, "bu": "Cel", "bv": 20},
        {"n": "air_temperature", "v": 4.5},
        {"n": "soil_temperature", "v": 1, "t": 2},
    ]
    assert payload.readings(pack, NOW) == [
        ("air_temperature", 1790000000, 24.5, marks.GOOD),
        ("soil_temperature", 1790000002, 21, marks.GOOD),
    ]


def test_a_message_over_four_kibibytes_is_not_written():
    records = [(f"soil_moisture.{i + 2}", 0, 444, None) for i in range(98)]
    assert refusal(payload.encode, NODE, 1, 1, 1790000000, records) == "too_long"
    assert refusal(payload.encode, NODE, 1, 1, 0, [("mood", 0, 1, None)]) == "unknown_metric"


def test_a_time_that_no_store_can_hold_is_refused_and_the_rest_is_kept():
    for times in (
        {"bt": -100000000000},
        {"bt": -1790000011},  # relative to now: one second before 1970
        {"bt": 1 << 40},
        {"t": 1 << 40},
        {"bt": 10**29},
        {"bt": -(10**29)},
        {"bt": 10**30},
    ):
        pack = [{"n": "light", "u": "lx", "v": 1}]
        pack[0].update(times)
        assert refusal(payload.readings, pack, NOW) == "not_a_number", times
    for base in (-1790000010, 0, (1 << 40) - 1):
        (reading,) = payload.readings([{"bt": base, "n": "light", "u": "lx", "v": 1}], NOW)
        assert payload.is_time(reading.at), base
