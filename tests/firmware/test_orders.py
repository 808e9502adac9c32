"""Calibration that stays on the node, and the orders that change it. On both interpreters."""

import json

import chip_models as models

from drivers.scd4x import SCD4x
from drivers.soil import Soil
from nongso.node import log
from nongso.node.calibration import Calibration
from nongso.node.orders import Orders
from nongso.node.sampling import Sampler
from nongso.node.sensors import SensorFault

NOW = 1790000000


def status(sensor):
    """The word that a sensor gives instead of a number."""
    try:
        return sensor.read()
    except SensorFault as e:
        return e.status


class Bench:
    """A probe on channel 2, a CO2 sensor, and somebody who gives orders."""

    def __init__(self, folder, dry=2900, wet=1200, now=NOW):
        self.folder = folder
        self.adc = models.Converter(2050)
        self.probe = Soil(self.adc, dry, wet)
        self.clock = models.Clock()
        chip = models.Scd4x(self.clock)
        self.co2 = SCD4x(models.Bus(x62=chip), self.clock.pause, ticks=self.clock)
        sampler = Sampler([(self.probe, ".2"), (self.co2, "")])
        self.orders = Orders(sampler, folder, lambda: now)

    def order(self, **words):
        """Give an order; return the line that the node says to it."""
        words.setdefault("until", NOW + 60)
        assert self.orders.take(json.dumps(words).encode())
        return log.recent[-1]

    def kept(self):
        """The points that the next start finds."""
        return Calibration(self.folder).of("soil_moisture.2")


def test_an_order_with_a_number_is_answered_with_what_the_probe_gave(scratch):
    bench = Bench(scratch)
    bench.adc.counts = 3100
    words = {"do": "calibrate", "series": "soil_moisture.2", "id": "7"}
    bench.order(point="dry", **words)
    told = json.loads(bench.orders.answer)
    assert abs(told.pop("counts") - 3100) <= 1
    assert abs(told.pop("dry") - 3100) <= 1
    assert told == {
        "do": "calibrated",
        "id": "7",
        "series": "soil_moisture.2",
        "point": "dry",
        "wet": 1200,
    }
    bench.order(point="damp", **words)
    assert "point is dry or wet" in json.loads(bench.orders.answer)["refused"]


def test_a_probe_is_calibrated_in_dry_and_in_wet_soil(scratch):
    bench = Bench(scratch, None, None)
    for point, counts in (("dry", 3100), ("wet", 1400)):
        assert status(bench.probe) == "failed"
        bench.adc.counts = counts
        assert point in bench.order(do="calibrate", series="soil_moisture.2", point=point)
    bench.adc.counts = 2250
    assert abs(bench.probe.read()[0] - 500) <= 2
    dry, wet = bench.kept()
    assert abs(dry - 3100) <= 1
    assert abs(wet - 1400) <= 1


def test_points_can_be_told_too(scratch):
    bench = Bench(scratch)
    bench.order(do="calibrate", series="soil_moisture.2", point="wet", counts=1000)
    assert bench.kept() == (2900, 1000)
    assert (bench.probe.dry, bench.probe.wet) == (2900, 1000)


def test_an_order_that_makes_no_sense_changes_nothing_and_says_why(scratch):
    bench = Bench(scratch)
    good = {"do": "calibrate", "series": "soil_moisture.2", "point": "dry", "counts": 3000}
    for change, why in (
        ({"counts": 1250}, "100 counts apart"),
        ({"counts": 5000}, "0 to 4095"),
        ({"counts": "many"}, "0 to 4095"),
        ({"point": "damp"}, "dry or wet"),
        ({"series": "soil_moisture"}, "no such sensor"),
        ({"series": "co2"}, "no such sensor"),
        ({"until": NOW - 1}, "another time"),
        ({"until": "soon"}, "another time"),
    ):
        words = dict(good)
        words.update(change)
        assert why in bench.order(**words), change
    assert bench.kept() == (None, None)
    assert (bench.probe.dry, bench.probe.wet) == (2900, 1200)


def test_a_node_without_a_clock_takes_no_order_for_the_moment(scratch):
    bench = Bench(scratch, now=None)
    assert "another time" in bench.order(do="calibrate", series="soil_moisture.2", point="dry")


def test_a_probe_that_gives_nothing_is_not_calibrated(scratch):
    bench = Bench(scratch)
    bench.adc.is_absent = True
    assert "gives nothing" in bench.order(do="calibrate", series="soil_moisture.2", point="dry")
    assert bench.kept() == (None, None)


def test_a_carbon_dioxide_sensor_is_told_what_is_in_the_air(scratch):
    bench = Bench(scratch)
    order = {"do": "recalibrate", "series": "co2", "ppm": 425}
    assert "three minutes" in bench.order(**order)
    bench.co2.start()
    bench.clock.ms += 180000
    bench.co2.start()
    assert "changed by -390 ppm" in bench.order(**order)
    assert "whole number" in bench.order(do="recalibrate", series="co2", ppm="425")


def test_what_is_no_order_is_left_to_others(scratch):
    orders = Bench(scratch).orders
    for message in (b"", b"x", b"{", b"{}", b'{"do":"offer"}', b"[1]", b'{"do":"calibrate"' * 99):
        assert not orders.take(message), message


def test_a_damaged_calibration_is_none_and_is_said(scratch):
    for words in ("{", "[]", '{"soil_moisture.2": 5}', '{"soil_moisture.2": [1, 5000]}'):
        with open(scratch + "/calibration.json", "w") as file:
            file.write(words)
        assert Calibration(scratch).of("soil_moisture.2") == (None, None)
        assert "calibrate the probes again" in log.recent[-1]
