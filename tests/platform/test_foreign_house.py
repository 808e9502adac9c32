"""What was only imported can be taken out again, counted; what anybody works with stays."""

from collections.abc import Callable
from pathlib import Path

import pytest
from office import Place

from nongso.platform import events
from nongso.platform.foreign_house import NotRemovable, command, look, remove
from nongso.platform.greenhouse.records import Greenhouse, Node
from nongso.platform.importing import import_readings
from nongso.platform.telemetry import Row, Series, forgetting
from nongso.platform.telemetry.forgetting import Forgotten, NotImported
from nongso.platform.traceability.records import Place as PlaceOfLots
from nongso.wire import marks

MAP = """
greenhouse = "old"
name = "Nhà cũ"
cooperative = "binh-lu"
[time]
column = "when"
format = "%Y-%m-%d %H:%M"
zone = "Asia/Ho_Chi_Minh"
[columns."temp"]
metric = "air_temperature"
node = "n-1"
[columns."hum"]
metric = "air_humidity"
node = "n-1"
"""
LINES = [
    "when,temp,hum",
    "2021-05-01 00:00,21.5,62",
    "2021-05-01 00:05,900,63",
    "2021-05-01 00:10,21.7,64",
    "2021-05-01 00:10,22.7,64",
]
WHOLE = Forgotten(series=2, readings=6, conflicts=1)


@pytest.fixture
def load(place: Place, tmp_path: Path) -> Callable[[], None]:
    def load() -> None:
        file, map_file = tmp_path / "old.csv", tmp_path / "old.toml"
        file.write_text("\n".join(LINES) + "\n")
        map_file.write_text(MAP)
        import_readings(place.settings, file, map_file)

    load()
    return load


def greenhouses(place: Place) -> set[str]:
    with place.records.session() as session:
        return {house.slug for house in session.query(Greenhouse)}


def test_an_imported_greenhouse_goes_with_all_that_the_file_brought(
    farm: Place, load: Callable[[], None]
) -> None:
    before = farm.telemetry.tally()
    own = farm.telemetry.series(greenhouse="tan-binh-1")
    assert look(farm.settings, "old").readings == WHOLE
    found = remove(farm.settings, "old")
    assert found.greenhouse
    assert found.readings == WHOLE
    assert greenhouses(farm) == {"tan-binh-1"}
    assert farm.telemetry.series(greenhouse="old") == {}
    assert farm.telemetry.series(greenhouse="tan-binh-1") == own
    after = farm.telemetry.tally()
    gone = {what: before[what] - after[what] for what in before}
    assert gone == {"stored": 5, "suspect": 1, "conflicting": 1}


def test_what_was_removed_can_be_loaded_again(place: Place, load: Callable[[], None]) -> None:
    before = place.telemetry.tally()
    remove(place.settings, "old")
    load()
    assert place.telemetry.tally() == before
    series = list(place.telemetry.series(greenhouse="old"))
    summaries = place.telemetry.summaries(series, 1619802000, 1619802000 + 86400, 86400)
    assert [(found.good, found.suspect) for found in summaries] == [(5, 1)]


def test_without_yes_it_is_only_counted(
    place: Place, load: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(place.settings, "old", is_sure=False) == 1
    said = capsys.readouterr().err
    assert "2 series, 6 readings and 1 conflicting values would be removed" in said
    assert "--yes" in said
    assert greenhouses(place) == {"old"}
    assert command(place.settings, "old", is_sure=True) == 0
    assert "2 series, 6 readings and 1 conflicting values removed" in capsys.readouterr().out


def test_a_removal_that_was_broken_off_goes_on(
    place: Place, load: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "READINGS_A_TURN", 2)
    turns = iter(range(2))
    take = forgetting._take_portion

    def broken_off(*arguments: object) -> tuple[int, int]:
        if next(turns, None) is None:
            raise KeyboardInterrupt
        return take(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(forgetting, "_take_portion", broken_off)
        with pytest.raises(KeyboardInterrupt):
            remove(place.settings, "old")
    found = remove(place.settings, "old")
    assert not found.greenhouse
    assert 0 < found.readings.readings < WHOLE.readings
    assert place.telemetry.tally() == {"stored": 0, "suspect": 0, "conflicting": 0}
    with pytest.raises(NotRemovable, match="no greenhouse 'old'"):
        remove(place.settings, "old")


def test_a_farms_own_greenhouse_is_never_removed(farm: Place, load: Callable[[], None]) -> None:
    with pytest.raises(NotRemovable, match=r"was not imported.*there are: old\."):
        remove(farm.settings, "tan-binh-1")
    assert greenhouses(farm) == {"old", "tan-binh-1"}


def test_an_unknown_greenhouse_is_answered_with_the_known_ones(
    place: Place, load: Callable[[], None]
) -> None:
    with pytest.raises(NotRemovable, match=r"no greenhouse 'odl'\. Imported ones are: old\."):
        look(place.settings, "odl")


@pytest.mark.parametrize("tie", ["a node", "a place of lots", "a record"])
def test_a_greenhouse_that_somebody_works_with_stays(
    tie: str, farm: Place, load: Callable[[], None]
) -> None:
    with farm.records.transaction() as session:
        if tie == "a node":
            session.get_one(Node, "0000000000000001").greenhouse = "old"
        elif tie == "a place of lots":
            session.add(
                PlaceOfLots(
                    id="p",
                    cooperative="binh-lu",
                    kind="greenhouse",
                    name="Nhà cũ",
                    greenhouse="old",
                    producer_id=None,
                    village="",
                    commune="",
                    province="",
                )
            )
        else:
            events.append(
                session,
                id="e",
                type="diary",
                at=1,
                actor="x",
                cooperative="binh-lu",
                body={},
                subjects=["greenhouse:old"],
            )
    with pytest.raises(NotRemovable, match=r"old has 1 .*; it stays"):
        remove(farm.settings, "old")
    assert look_at(farm) == WHOLE.readings


def look_at(place: Place) -> int:
    return forgetting.count(place.settings.telemetry_file, "old").readings


def test_a_reading_that_was_measured_here_keeps_all(
    place: Place, load: Callable[[], None]
) -> None:
    row = Row(Series("old", "", "n-9", "light"), 1_700_000_000, 5.0, marks.GOOD)
    place.telemetry.write([row])
    with pytest.raises(NotImported, match="1 readings of greenhouse old were measured here"):
        remove(place.settings, "old")
    assert greenhouses(place) == {"old"}
    assert len(place.telemetry.series(greenhouse="old")) == 3
