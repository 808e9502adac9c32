"""What people change about stations on the pages outlives a restart of ``nongso up``."""

from pathlib import Path

from nongso.commands.house import House
from nongso.commands.ports import Ports
from nongso.gateway import broker, enrolment
from nongso.gateway.settings import load

PORTS = Ports(8080, 1883, 5020, 5021, 8081)


def started(house: House) -> list[str]:
    """Write what a start writes; returns the stations that the gateway then knows."""
    first, users = house.simulated_nodes(), dict(house.identity["broker"])
    for gone in {n["slug"] for n in house.nodes()} - {n["slug"] for n in first}:
        del users[gone]
    nodes, admitted = [*first, house.bus_node()], house.admitted()
    broker.write_config(house.path("broker"), PORTS.broker, users, nodes, admitted=admitted)
    return [node.slug for node in load(house.write_gateway(PORTS)).nodes]


def test_a_station_that_was_taken_out_stays_out_at_the_next_start(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        every = started(house)
        enrolment.remove(
            house.path("gateway", "gateway.json"), house.path("broker"), "tan-binh", every[0]
        )
        assert started(house) == every[1:]
        words = [house.path("broker", name).read_text() for name in ("acl", "passwords")]
        assert not any(every[0] in text for text in words)
        assert all(every[1] in text for text in words)
        place = enrolment.Place("tan-binh", every[0], house.nodes()[0]["greenhouse"])
        file, folder = house.path("gateway", "gateway.json"), house.path("broker")
        enrolment.admit(file, folder, place, "0211aafffe000001")
        assert set(started(house)) == set(every), "another board under its name"
