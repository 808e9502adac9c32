"""The gateway's store under a failing disk: power cuts, and errors at each call.

The ledger of promises is the oracle: what ``Store`` said was on the disk must be there after the
next start, for each platform until that platform was about to name it, once, and unchanged.
"""

import json
import random
import shutil
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlite_layers import under_apsw
from torn_disk import Cut, Disk, lay_down

from nongso.gateway import store as store_module
from nongso.gateway.intake import Sender, make_message, number_of
from nongso.gateway.ledger import Accepted, Message
from nongso.gateway.store import Store
from nongso.gateway.storefile import StoreFile
from nongso.wire.payload import Reading

NODE = "0200000000000001"
SENDER = Sender(NODE, number_of(NODE), "tb-01", "")
START = 1_790_000_000
PATIENCE_SECONDS = 20.0
NAMES = ("main", "farm")


class Promise(NamedTuple):
    """Something the store has said, or (``gone``) a platform that is about to name messages."""

    what: str  # message, row, command, state, gone
    key: Any
    who: str = ""


def told(seq: int) -> Message:
    """Return message ``seq`` of the node; its content follows from its number."""
    readings = [Reading("soil_moisture", START + 300 * seq, float(seq % 1000) / 10, 16)]
    return make_message(SENDER, 7, seq, readings, False, "nongso/1/f/n/up", b"raw")


class Work:
    """Does to a store what a gateway does, by chance, and writes down what it was promised."""

    def __init__(self, folder: Path, seed: int, disk: Disk) -> None:
        self.chance = random.Random(seed)
        self.destinations = NAMES[: 1 + seed % 2]
        self.promises: list[Promise] = []
        self.said = 0  # messages, rows, commands and states so far
        self._disk = disk
        self._file = folder / "store.sqlite"
        self.store = self._open()

    def _open(self) -> Store:
        return Store(self._file, destinations=self.destinations)

    def promised(self, promise: Promise) -> None:
        self.promises.append(promise)
        self._disk.promises()

    def turn(self) -> None:
        """Do one thing."""
        self.chance.choices(
            (self.accept, self.record, self.command, self.state, self.name, self.restart),
            (40, 8, 8, 8, 30, 2),
        )[0]()

    def accept(self, many: int | None = None) -> None:
        """A burst of messages, some of them for the second time."""
        many = many or self.chance.choice((1, 3, 30, 100))
        seqs = list(range(self.said, self.said + many))
        self.said += many
        again = [p.key for p in self.promises[-20:] if p.what == "message"]
        outcome = self.offer([*again, *seqs])
        assert outcome is not None, "not stored"
        for seq in seqs:
            self.promises.append(Promise("message", seq))
        self._disk.promises()

    def offer(self, seqs: Sequence[int]) -> Accepted | None:
        answers: list[Accepted | None] = []
        done = threading.Event()

        def then(accepted: Accepted | None) -> None:
            answers.append(accepted)
            done.set()

        self.store.offer([told(seq) for seq in seqs], [], then)
        assert done.wait(PATIENCE_SECONDS), "the store does not answer"
        return answers[0]

    def record(self) -> None:
        self.said += 1
        self.store.record("run", {"id": self.said})
        self._promise_if_written(Promise("row", self.said))

    def command(self) -> None:
        self.said += 1
        name = f"{self.said:032x}"
        self.store.seen_command(name)
        if self.store.has_on_disk(name):
            self.promised(Promise("command", name))

    def state(self) -> None:
        self.said += 1
        self.store.set_state("water.zone.k1", str(self.said))
        self._promise_if_written(Promise("state", self.said))

    def _promise_if_written(self, promise: Promise) -> None:
        """While the disk is known to fail these three return without a promise."""
        if self.store.is_writable():
            self.promised(promise)

    def name(self) -> None:
        """A platform has stored a batch."""
        who = self.chance.choice(self.destinations)
        store_id, rows = self.store.rows(False, self.chance.choice((1, 50, 500)), 1 << 20, who)
        some = [row for row in rows if self.chance.random() < 0.9]
        for row in some:
            self.promises.append(Promise("gone", json.loads(row.body)["seq"], who))
        if some:
            self.store.named(store_id, False, [row.id for row in some], [], who)

    def restart(self) -> None:
        self.store.close(PATIENCE_SECONDS)
        self.store = self._open()


def check(folder: Path, promises: Sequence[Promise], work: Work) -> None:
    """Open what is left as the next start does, and hold it against the promises."""
    file = StoreFile(folder / "store.sqlite", destinations=work.destinations)
    try:
        assert file.replaced is None, f"corrupt: {file.replaced}"
        for who in work.destinations:
            rows = file.rows(False, 1 << 20, 1 << 40, who)
            bodies = [json.loads(row.body) for row in rows if row.is_sound]
            assert len(bodies) == len(rows), "corrupt: rows that changed"
            found = [body["seq"] for body in bodies]
            assert len(found) == len(set(found)), "twice in the outbox"
            for body in bodies:
                (reading,) = told(body["seq"]).readings
                assert body["readings"] == [list(reading)], "changed"
            gone = {p.key for p in promises if p.what == "gone" and p.who == who}
            promised = {p.key for p in promises if p.what == "message"}
            assert promised - gone <= set(found), f"lost {sorted(promised - gone - set(found))}"
        rows = [row for row in file.rows(True, 1 << 20, 1 << 40) if row.kind == "run"]
        runs = [json.loads(row.body)["run"]["id"] for row in rows]
        assert len(runs) == len(set(runs)), "twice in the outbox"
        assert {p.key for p in promises if p.what == "row"} <= set(runs), "rows lost"
        assert {p.key for p in promises if p.what == "command"} <= file.commands()
        states = [p.key for p in promises if p.what == "state"]
        if states:
            assert int(file.all_state()["water.zone.k1"]) >= states[-1]
    finally:
        file.close()


def _check_cut(cut: Cut, work: Work, folder: Path) -> int:
    """Check one power cut; now and then go on from it. Returns how much had been promised."""
    promises = work.promises[: cut.promised]
    lay_down(cut.image, folder)
    check(folder, promises, work)
    assert not list(folder.glob("*.damaged*")), "corrupt"
    if work.chance.random() < 0.1:  # nodes send all again: it is known, and nothing comes twice
        again = Work.__new__(Work)
        again.__dict__.update(work.__dict__, _file=folder / "store.sqlite")
        again.store = again._open()
        seqs = [p.key for p in promises if p.what == "message"]
        for start in range(0, len(seqs), 5000):
            outcome = again.offer(seqs[start : start + 5000])
            assert outcome is not None
            assert not outcome.new, "acknowledged, and not in the ledger"
        again.store.close(PATIENCE_SECONDS)
    shutil.rmtree(folder)
    return len(promises)


def power_cuts(seed: int, folder: Path, turns: int = 120) -> Counter[str]:
    """One life of a store with a power cut at every fifth call or so."""
    home = folder / "home"
    home.mkdir()
    disk = Disk(home, seed)
    count: Counter[str] = Counter()
    with under_apsw(disk):
        work = Work(home, seed, disk)
        disk.promised = lambda: len(work.promises)
        disk.settle()
        disk.is_cutting, disk.likely = True, 0.2
        for _ in range(turns):
            work.turn()
            cuts, disk.cuts = disk.cuts, []
            for cut in cuts:
                count["promises looked for"] += _check_cut(cut, work, folder / "cut")
                count["cuts"] += 1
        disk.is_cutting = False
        work.store.close(PATIENCE_SECONDS)
    check(home, work.promises, work)
    return count


def first_starts(seed: int, folder: Path) -> Counter[str]:
    """Power cuts while the very first store is made: the next start makes it, and nothing else."""
    home = folder / "home"
    home.mkdir(parents=True)
    disk = Disk(home, seed)
    disk.settle()
    disk.is_cutting, disk.likely = True, 1.0
    with under_apsw(disk):
        StoreFile(home / "store.sqlite").close()
    for cut in disk.cuts:
        lay_down(cut.image, folder / "cut")
        file = StoreFile(folder / "cut" / "store.sqlite")
        assert file.replaced is None, file.replaced
        file.close()
        shutil.rmtree(folder / "cut")
    return Counter(cuts=len(disk.cuts))


def refusals(seed: int, folder: Path, most: int = 10_000) -> Counter[str]:
    """A disk that is full or fails at the first, second, third … call, until nothing is left.

    Even seeds: full; odd ones: broken. It lasts for ``seed // 2 % 3`` more calls.
    """
    why, lasts = ("full", "broken")[seed % 2], 1 + seed // 2 % 3
    count: Counter[str] = Counter()
    retry, store_module.RETRY_SECONDS = store_module.RETRY_SECONDS, (0.002,)
    try:
        for first in range(1, most):
            if not _one_refusal(seed, folder / "home", why, range(first, first + lasts)):
                break
            count["refused calls"] += 1
    finally:
        store_module.RETRY_SECONDS = retry
    return count


def _one_refusal(seed: int, home: Path, why: str, refused: range) -> bool:
    """A short life of a store, some of whose calls are refused; ``False`` if it made fewer."""
    home.mkdir()
    disk = Disk(home, seed)
    disk.settle()
    disk.refuses = lambda number: why if number in refused else None
    with under_apsw(disk):
        work = Work(home, seed, disk)
        for deed in (work.accept, work.record, work.command, work.name, work.state, work.restart):
            deed()
        work.accept(3)
        was_reached = disk.calls >= refused.start
        disk.refuses = lambda number: None
        work.accept(1)
        assert work.store.is_writable(), "it works again, and the store does not know"
        assert work.store.report()["damage"] is None, "corrupt"
        work.store.close(PATIENCE_SECONDS)
    check(home, work.promises, work)
    shutil.rmtree(home)
    return was_reached
