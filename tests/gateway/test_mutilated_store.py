"""Whatever happens to the bytes of the gateway's store, it opens, and what can be read survives.

A real store, filled as on a farm, is harmed in hundreds of ways. Where each row lies in the file
is read from the pages themselves (https://sqlite.org/fileformat.html, section 1.6), so that the
tests know which rows a harm may cost: those whose own bytes it hit, those of a page whose order it
hit, and those below a page that leads to others.
"""

import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import pytest
from control_box import NODES

from nongso.gateway.salvage import CHANGING
from nongso.gateway.storefile import StoreFile
from nongso.gateway.storeschema import PAGE_BYTES, TABLES, first_page

NODE = NODES["tb-01"]
NUMBER = int(NODE, 16)
Row = tuple[Any, ...]
Content = dict[str, set[Row]]


def fill(file: StoreFile) -> None:
    """Put in what a farm's gateway holds after some days."""
    file.begin()
    for key in range(40):
        file.set_state(f"water.zone.tan-binh-1-k{key}", json.dumps({"mode": "off", "n": key}))
    for n in range(300):
        file.add_command(f"{n * 219 % 65536:04x}0000-0000-4000-8000-{n:012x}", 1_790_000_000 + n)
    for start in range(0, 800, 100):
        ledger = [
            (NUMBER, 7, n, n * 7919, 1_790_000_000 + n, 1_790_000_000 + n)
            for n in range(start, start + 100)
        ]
        file.add_messages(ledger, [body("readings", n) for n in range(start, start + 100)])
        file.put("run", body("run", start), True)
        file.put("configuration", body("configuration", start), True)
    file.put("alarm", body("alarm", 9, 20_000), True)  # spreads over several pages
    file.save_latest([(f"{n:016x}", "soil_moisture", 1_790_000_000, 40.5, 16) for n in range(90)])
    for n in range(60):
        why = ("wrong_unit", "sai đơn vị")
        file.refuse(1_790_000_000, "nongso/1/f/n/up", (NODE, 7, n), why, b"x" * 50)
    file.put_aside([(1 + n * 3, "broken_row", "no") for n in range(20)], False)
    file.commit()


def body(kind: str, number: int, length: int = 150) -> bytes:
    return json.dumps({"kind": kind, "n": number, "words": "đủ nước " * (length // 10)}).encode()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return filled(tmp_path_factory.mktemp("whole"))


def filled(folder: Path) -> bytes:
    path = folder / "store.sqlite"
    file = StoreFile(path)
    fill(file)
    file.close()
    return path.read_bytes()


# --- where each row lies -----------------------------------------------------------------------


class Cell(NamedTuple):
    start: int
    end: int
    table: str
    key: Row


class Page(NamedTuple):
    """One page: the rows on it, the bytes that keep them in order, and the pages below it."""

    table: str
    cells: list[Cell]
    order: range
    below: list[int]


def varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for n in range(9):
        byte = raw[at + n]
        value = value << 8 | byte if n == 8 else value << 7 | byte & 127
        if not byte & 128:
            break
    return value, at + n + 1


def cells_of(raw: bytes, table: str, number: int) -> tuple[list[tuple[int, int, Row]], range]:
    """Start, end and key of each row on a page, and where its header and pointers lie."""
    start = (number - 1) * PAGE_BYTES
    page = raw[start : start + PAGE_BYTES]
    is_leaf, is_by_id = page[0] & 8, page[0] in (5, 13)
    count = int.from_bytes(page[3:5], "big")
    head = 8 if is_leaf else 12
    found = []
    for n in range(count):
        at = begin = int.from_bytes(page[head + 2 * n : head + 2 * n + 2], "big")
        if not is_leaf:
            at += 4
            if is_by_id:
                continue  # leads to others, holds no row
        size, at = varint(page, at)
        if is_by_id:
            key, at = varint(page, at)
            found.append((start + begin, start + min(PAGE_BYTES, at + size), (key,)))
        else:
            found.append((start + begin, start + at + size, record(page[at : at + size], table)))
    return found, range(start, start + head + 2 * count)


def record(raw: bytes, table: str) -> Row:
    """Read the key of a row that lies in an index-like page."""
    size, at = varint(raw, 0)
    types = []
    while at < size:
        kind, at = varint(raw, at)
        types.append(kind)
    key: list[Any] = []
    for kind in types[: len(TABLES[table].key)]:
        if kind >= 12:
            key.append(raw[size : size + (kind - 13) // 2].decode())
            size += (kind - 13) // 2
        else:
            length = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)[kind]
            value = int.from_bytes(raw[size : size + length], "big", signed=True)
            key.append(kind - 8 if kind in (8, 9) else value)
            size += length
    return tuple(key)


@pytest.fixture(scope="module")
def pages(whole: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Page]:
    return map_of(whole, tmp_path_factory.mktemp("map"))


def map_of(whole: bytes, folder: Path) -> dict[int, Page]:
    path = folder / "store.sqlite"
    path.write_bytes(whole)
    db = apsw.Connection(str(path))
    listed = db.execute("SELECT name, path, pageno, pagetype FROM dbstat").fetchall()
    db.close()
    found = {}
    for name, way, number, kind in listed:
        below = [n for _, w, n, _ in listed if w.startswith(way) and w != way]
        below = [n for n, p in ((n, nm) for nm, _, n, _ in listed) if n in below and p == name]
        if name not in TABLES or kind == "overflow":
            found[number] = Page(name, [], range(0), below)
            continue
        cells, order = cells_of(whole, name, number)
        found[number] = Page(name, [Cell(s, e, name, key) for s, e, key in cells], order, below)
    return found


# --- what a file gives ---------------------------------------------------------------------------


def content(path: Path) -> Content:
    """All sound rows of a sound file."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = {}
    for name, table in TABLES.items():
        rows = map(table.readable, db.execute(table.select()))
        found[name] = {row for row in rows if row is not None}
    db.close()
    found["state"] |= found.pop("state_again")
    found["state"] = {row for row in found["state"] if row[0] not in ("store_id", "tried_at")}
    return found


def keys(found: set[Row], table: str) -> set[Row]:
    return {row[: len(TABLES[table].key)] for row in found}


@pytest.fixture(scope="module")
def all_rows(whole: bytes, tmp_path_factory: pytest.TempPathFactory) -> Content:
    path = tmp_path_factory.mktemp("all") / "store.sqlite"
    path.write_bytes(whole)
    found = content(path)
    assert {name: len(rows) for name, rows in found.items()} == {
        "state": 41,  # and how far the newest readings are saved
        "commands": 300,
        "outbox": 800 + 17 - 20,
        "latest": 90,
        "set_aside": 20,
        "refused": 60,
        "messages": 800,
    }
    return found


class Harm(NamedTuple):
    """A harmed file: its bytes, which were changed, and the length that is left."""

    raw: bytes
    places: list[int]
    length: int


class Bench:
    """Harms the file, opens it, and says what that may have cost and what it did cost."""

    def __init__(self, folder: Path, whole: bytes, pages: dict[int, Page], rows: Content) -> None:
        self.folder, self.whole, self.pages, self.rows = folder, whole, pages, rows
        self._number = 0

    def may_cost(self, harm: Harm) -> set[tuple[str, Row]]:
        """The rows that a harm may cost, by table and key."""
        bad: set[int] = {
            n for n in self.pages if n * PAGE_BYTES > harm.length or n > len(self.whole)
        }
        costs: set[tuple[str, Row]] = set()
        by_page: dict[int, list[int]] = {}
        for place in harm.places:
            by_page.setdefault(place // PAGE_BYTES + 1, []).append(place)
        for number, places in by_page.items():
            page = self.pages.get(number)
            if page is None or number == 1:
                continue
            hit = [c for c in page.cells if any(c.start <= place < c.end for place in places)]
            is_order = any(place in page.order for place in places)
            if is_order or page.below or len(places) > 1 or page.table not in TABLES:
                bad.add(number)
            costs |= {(cell.table, cell.key) for cell in hit}
        for number in bad:
            for lost in (number, *self.pages[number].below):
                costs |= {(cell.table, cell.key) for cell in self.pages[lost].cells}
            for page in self.pages.values():  # of what changes, rows between two bad pages too
                if number in page.below and page.table in CHANGING:
                    costs |= {(cell.table, cell.key) for cell in page.cells}
        overflows = [n for n in bad | set(by_page) if self._is_overflow(n)]
        if overflows:  # the one long row
            costs |= {("outbox", (row[0],)) for row in self.rows["outbox"] if len(row[3]) > 9000}
        # Of the two copies of the state one is enough.
        twice = {key for table, key in costs if table == "state"} & {
            key for table, key in costs if table == "state_again"
        }
        return {(t, k) for t, k in costs if not t.startswith("state") or k in twice}

    def _is_overflow(self, number: int) -> bool:
        page = self.pages.get(number)
        return page is not None and page.table == "outbox" and not page.cells and not page.below

    def open(self, harm: Harm) -> None:
        """Open a harmed file as the gateway does, and check what became of it."""
        self._number += 1
        path = self.folder / str(self._number) / "store.sqlite"
        path.parent.mkdir()
        path.write_bytes(harm.raw)
        file = StoreFile(path)  # never raises
        try:
            replaced = file.replaced
            if replaced is not None:
                assert (path.parent / replaced.name).read_bytes() == harm.raw  # as it was
            told = [row for p in (True, False) for row in file.rows(p, 9999, 1 << 30)]
            unsound = {row.id for row in told if not row.is_sound}
            state, commands = file.all_state(), file.commands()
            newest, _ = file.latest()
            file.refused_rows()
            file.set_aside_rows()
            assert self._goes_on(file)
        finally:
            file.close()
        found = content(path)
        allowed = self.may_cost(harm)
        for table, rows in self.rows.items():
            new = found[table] - rows
            assert not {row for row in new if not self._is_ours(table, row)}, f"changed: {new}"
            lost = keys(rows, table) - keys(found[table], table)
            if table == "messages" and replaced and replaced.salvage.is_disordered:
                continue  # pages without a tree are not searched for the ledger: it costs too long
            assert {(table, key) for key in lost} <= allowed, f"{table} lost {lost}"
            if lost and table in ("outbox", "commands", "state"):
                if replaced is None:
                    assert table == "outbox"
                    assert {key[0] for key in lost} <= unsound
                else:
                    salvage = replaced.salvage
                    is_counted = salvage.unreadable[table] or salvage.unreadable["store"]
                    assert is_counted or salvage.is_disordered, "not counted"
        bodies = {(row[0], row[3]) for row in self.rows["outbox"]}
        bodies |= {(row[0], row[6]) for row in self.rows["set_aside"]}
        assert {(row.id, row.body) for row in told if row.is_sound} <= bodies
        assert state.items() <= {(row[0], row[1]) for row in self.rows["state"]}
        assert commands <= {row[0] for row in self.rows["commands"]}
        assert set(newest) <= {row[:5] for row in self.rows["latest"]}
        shutil.rmtree(path.parent)

    @staticmethod
    def _goes_on(file: StoreFile) -> bool:
        """The store takes new rows, gives old ones up and sets damaged ones aside."""
        file.begin()
        file.set_state("added", "now")
        file.put("run", b'{"added":1}', True)
        bad = [(row.id, "damaged_row", "") for row in file.rows(False, 9999, 1 << 30)]
        file.put_aside(bad[:3], False)
        file.rollback()
        return True

    def _is_ours(self, table: str, row: Row) -> bool:
        """Say whether a row was once written so: what was struck out may come to light again."""
        if table == "outbox":
            return any((row[0], row[3]) == (old[0], old[6]) for old in self.rows["set_aside"])
        return table == "state" and row[0] == "latest_upto"


@pytest.fixture
def bench(
    tmp_path: Path, whole: bytes, pages: dict[int, Page], all_rows: Content
) -> Iterator[Bench]:
    """In memory where there is a disk in memory: hundreds of files are made."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield Bench(tmp_path, whole, pages, all_rows)
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Bench(Path(folder), whole, pages, all_rows)


# --- the harms -----------------------------------------------------------------------------------


def flipped(whole: bytes, places: list[int], chance: random.Random) -> Harm:
    raw = bytearray(whole)
    for place in places:
        raw[place] ^= 1 << chance.randrange(8)
    return Harm(bytes(raw), places, len(raw))


def one_bit(whole: bytes, chance: random.Random) -> Harm:
    return flipped(whole, [chance.randrange(len(whole))], chance)


def one_byte(whole: bytes, chance: random.Random) -> Harm:
    raw, place = bytearray(whole), chance.randrange(len(whole))
    raw[place] ^= chance.randrange(1, 256)
    return Harm(bytes(raw), [place], len(raw))


def many_bits(whole: bytes, chance: random.Random) -> Harm:
    return flipped(
        whole, [chance.randrange(len(whole)) for _ in range(chance.choice((3, 30, 300)))], chance
    )


def cut_off(whole: bytes, chance: random.Random) -> Harm:
    length = chance.choice((chance.randrange(len(whole)), chance.randrange(len(whole)) & ~4095))
    return Harm(whole[:length], [], length)


def bad_pages(whole: bytes, chance: random.Random) -> Harm:
    """Pages that are all zero, all one or taken from elsewhere, as failing cards leave them."""
    raw = bytearray(whole)
    places: list[int] = []
    for _ in range(chance.choice((1, 1, 2, 4))):
        start = chance.randrange(len(whole) // PAGE_BYTES) * PAGE_BYTES
        other = chance.randrange(len(whole) // PAGE_BYTES) * PAGE_BYTES
        raw[start : start + PAGE_BYTES] = chance.choice(
            (bytes(PAGE_BYTES), b"\xff" * PAGE_BYTES, whole[other : other + PAGE_BYTES])
        )
        places += range(start, start + PAGE_BYTES)
    return Harm(bytes(raw), places, len(raw))


HARMS = [(one_bit, 120), (one_byte, 40), (many_bits, 15), (cut_off, 20), (bad_pages, 30)]


@pytest.mark.parametrize(("harm", "trials"), HARMS)
def test_a_harmed_store_opens_and_loses_only_what_was_hit(
    bench: Bench, harm: Callable[[bytes, random.Random], Harm], trials: int
) -> None:
    for trial in range(trials):
        try:
            bench.open(harm(bench.whole, random.Random(f"{harm.__name__} {trial}")))
        except Exception as error:
            error.add_note(f"{harm.__name__}, trial {trial}")
            raise


def test_any_bit_of_the_header_may_flip(bench: Bench) -> None:
    fields = (0, 15, 16, *range(18, 24), *range(24, 100, 4), *range(27, 100, 4))
    for place in sorted(fields):
        raw = bytearray(bench.whole)
        raw[place] ^= 1 << place % 8
        try:
            bench.open(Harm(bytes(raw), [place], len(raw)))
        except Exception as error:
            error.add_note(f"byte {place}")
            raise


def test_without_its_first_page_a_store_loses_nothing(bench: Bench) -> None:
    for page in (bytes(PAGE_BYTES), b"\xff" * PAGE_BYTES, b"a letter to somebody" * 205):
        raw = page[:PAGE_BYTES] + bench.whole[PAGE_BYTES:]
        bench.open(Harm(raw, list(range(PAGE_BYTES)), len(raw)))
    assert first_page(PAGE_BYTES)[100] == 13, "all tables are described on the first page alone"


def test_a_page_of_one_copy_of_the_state_costs_nothing_people_have_set(
    tmp_path: Path, whole: bytes, pages: dict[int, Page]
) -> None:
    (number,) = (n for n, page in pages.items() if page.table == "state" and not page.below)
    path = tmp_path / "store.sqlite"
    start = (number - 1) * PAGE_BYTES
    path.write_bytes(whole[:start] + bytes(PAGE_BYTES) + whole[start + PAGE_BYTES :])
    file = StoreFile(path)
    assert len(file.all_state()) == 40
    assert file.replaced is not None
    assert file.replaced.salvage.unreadable["state"] == 0
    file.close()


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("state", '"mode": "off", "n": 17'),
        ("state_again", '"mode": "off", "n": 17'),
        ("state", "water.zone.tan-binh-1-k17"),
        ("commands", "-0000-4000-8000-000000000017"),
        ("outbox", "readings"),
        ("outbox", "configuration"),
        ("latest", "soil_moisture"),
        ("refused", "wrong_unit"),
        ("set_aside", "broken_row"),
    ],
)
def test_a_flipped_bit_in_a_text_stops_nothing(
    bench: Bench, pages: dict[int, Page], table: str, text: str
) -> None:
    """The text is then no text any more: reading it as one fails."""
    for page in pages.values():
        for cell in page.cells:
            place = bench.whole.find(text.encode(), cell.start, cell.end)
            if page.table == table and place > 0:
                raw = bytearray(bench.whole)
                raw[place + 2] ^= 0x80
                bench.open(Harm(bytes(raw), [place + 2], len(raw)))
                return
    pytest.fail("the text is not there")
