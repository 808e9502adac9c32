"""How well the rules about copied labels do: shoppers and counterfeiters, played with a seed.

Families in the sales area scan what they bought, once or a few times; some packs travel home
with a guest, some are passed around a table or stand at a fair, some phones change from Wi-Fi to
the telephone network in mid-scan (which looks like a journey), staff try labels before they are
in use. Counterfeiters copy one label a thousand times or a few labels each, invent numbers, use a
roll that was stolen before it was in use, or sell on what was recalled. Everything goes through
the real recorder into real records; only shoppers, addresses and days are played. How often each
of these things happens is nowhere measured: the constants below are assumptions to be changed.

Precision of a rule: of the labels that it named, how many were a counterfeiter's. Recall of a
rule: of the counterfeiters' labels of the sort that it is there for and that anybody scanned, how
many it named. A label counts once, however often it was scanned.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "traceability"))
sys.path.append(str(ROOT / "tests" / "platform"))

from cooperative import NOW, Farm, open_farm  # noqa: E402
from sqlalchemy import select  # noqa: E402

from nongso.platform.traceability.identifiers import new_serial  # noqa: E402
from nongso.platform.traceability.labelling import account as labelling_account  # noqa: E402
from nongso.platform.traceability.labelling import issuing as labelling  # noqa: E402
from nongso.platform.traceability.records import LabelCode, Lot  # noqa: E402
from nongso.platform.traceability.scans import cases, signs  # noqa: E402
from nongso.platform.traceability.scans.recorder import Recorder  # noqa: E402
from nongso.platform.traceability.scans.records import (  # noqa: E402
    ScanCase,
    ScanSign,
    ScanUsual,
)

DAY = 86_400
BY_BOOKS = (signs.NEVER_ISSUED, signs.NOT_ACTIVATED, signs.AFTER_END)
PROVINCES = [f"province {number}" for number in range(34)]
HOME = {0: 50, 1: 25, 2: 15, 3: 10}  # where it is sold, and how much of it
UNKNOWN_NETWORK = 0.3  # of scans: most telephone networks are no province's
CHANGES_NETWORK = 0.05  # of scans: from Wi-Fi to the telephone network, asking again at once
COMMON_BROWSER = 0.6  # of phones: their browsers tell one of three names, for they keep them short
WRONG_PROVINCE = 0.1  # of those: the table gives that network a province, and not the right one
GUEST, TABLE, FAIR = 0.03, 0.03, 0.002  # of packs: carried far, passed around, shown to many
SCANNED = 0.4  # of packs, at all
TRIED_BY_STAFF = 0.02  # of labels, before they count as on a pack

# The sort of fraud, and the rules that are there for it.
MEANT_FOR = {
    "one label a thousand times": (
        signs.MANY_PHONES,
        signs.MANY_DAYS,
        signs.TRAVEL,
        signs.ONE_BROWSER,
        signs.OUTSIDE,
    ),
    "a few labels, twenty times each": (
        signs.MANY_PHONES,
        signs.MANY_DAYS,
        signs.TRAVEL,
        signs.ONE_BROWSER,
        signs.OUTSIDE,
    ),
    "invented numbers": (signs.NEVER_ISSUED,),
    "a stolen roll": (signs.NOT_ACTIVATED,),
    "sold on after the recall": (signs.AFTER_END,),
}


@dataclass
class World:
    """Who scans what when, as it will be told to the recorder, and which labels are whose."""

    chance: random.Random
    scans: list[tuple[int, str, str, str, str]] = field(default_factory=list)
    fraud: dict[str, str] = field(default_factory=dict)  # serial, sort
    recalled: list[str] = field(default_factory=list)  # lots that will be
    phones: int = 0

    def address(self, province: int) -> str:
        """The address of a phone of that province; some are of networks that nobody knows."""
        self.phones += 1
        known = 10 if self.chance.random() >= UNKNOWN_NETWORK else 172
        return f"{known}.{province}.{self.phones // 250 % 250}.{self.phones % 250}"

    def scan(self, lot: str, serial: str, at: int, province: int) -> None:
        """A phone scans; sometimes it changes its network and asks again."""
        is_common = self.chance.random() < COMMON_BROWSER
        agent = (
            f"browser {self.chance.randrange(3) if is_common else self.chance.randrange(3, 40)}"
        )
        self.scans.append((at, lot, serial, self.address(province), agent))
        if self.chance.random() < CHANGES_NETWORK:
            is_wrong = self.chance.random() < WRONG_PROVINCE
            other = (
                self.address(self.chance.randrange(len(PROVINCES))) if is_wrong else "172.16.0.1"
            )
            self.scans.append((at + 10, lot, serial, other, agent))


def families(
    world: World, lot: str, serials: list[str], days: int, phones_of_a_family: int
) -> None:
    """Shoppers with packs that are the cooperative's."""
    chance = world.chance
    for serial in serials:
        kind, sold = chance.random(), NOW + chance.randrange(days * DAY)
        home = chance.choices(list(HOME), list(HOME.values()))[0]
        if kind < FAIR:
            count = chance.randint(20, 60)
        elif kind < FAIR + TABLE:
            count = chance.randint(4, 8)
        elif chance.random() < SCANNED:
            count = chance.randint(1, phones_of_a_family)
        else:
            continue
        if chance.random() < GUEST:
            home = chance.randrange(len(PROVINCES))
        for _ in range(count):
            world.scan(lot, serial, sold + chance.randrange(3 * DAY), home)


def copies(world: World, lot: str, serial: str, sort: str, count: int, days: int) -> None:
    """A label that was copied so often: sold in four provinces, scanned like any other."""
    chance = world.chance
    world.fraud[serial] = sort
    markets = chance.sample(range(len(PROVINCES)), 4)
    for _ in range(count):
        sold = NOW + (days // 3 + chance.randrange(days * 2 // 3)) * DAY + chance.randrange(DAY)
        if chance.random() < SCANNED:
            world.scan(lot, serial, sold, chance.choice(markets))


def labelled(farm: Farm, product: str, packs: int, applied: bool = True) -> tuple[str, list[str]]:
    """A lot with its labels, on packs or still in hand."""
    lot = farm.packed(packs, product=product).code
    farm.do(labelling.issue, labelling.Wish(lot, packs), {"text": "x"})
    if applied:
        farm.do(labelling_account.apply, labelling_account.Told(lot, ()))
    with farm.records.session() as session:
        wanted = select(LabelCode.serial).where(LabelCode.lot == lot).order_by(LabelCode.running)
        return lot, list(session.scalars(wanted))


def play(farm: Farm, world: World, packs: int, days: int) -> None:
    """Lay down who scans what when."""
    chance = world.chance
    for name, phones in (("noodles", 2), ("gift box", 9)):
        product = farm.product(name=name)
        lot, serials = labelled(farm, product, packs)
        families(world, lot, serials, days, phones)
        for serial in serials[: packs // 20]:  # staff try some when they come from the printer
            if chance.random() < TRIED_BY_STAFF * 20:
                world.scan(lot, serial, NOW, 0)
        real = set(serials)
        copies(world, lot, serials[0], "one label a thousand times", 1000, days)
        for serial in serials[1:11]:
            copies(world, lot, serial, "a few labels, twenty times each", 20, days)
        for _ in range(30):
            invented = new_serial()
            assert invented not in real
            copies(world, lot, invented, "invented numbers", 5, days)
        stolen, roll = labelled(farm, product, 120, applied=False)
        for serial in roll[:100]:
            copies(world, stolen, serial, "a stolen roll", 2, days)
        for serial in roll[100:]:  # the rest is on packs late, and staff have tried it before
            if chance.random() < TRIED_BY_STAFF * 10:
                world.scan(stolen, serial, NOW + chance.randrange(days * DAY), 0)
        recalled, old = labelled(farm, product, 120)
        families(world, recalled, old[60:], days // 3, phones)
        for serial in old[:60]:
            copies(world, recalled, serial, "sold on after the recall", 1, days)
        world.recalled.append(recalled)


def run(farm: Farm, world: World, days: int, networks: Path) -> float:
    """Let the days pass; return how long writing took."""
    recorder = Recorder(farm.records, networks, 30)
    by_day: dict[int, list[tuple[int, str, str, str, str]]] = defaultdict(list)
    for scan in sorted(world.scans):
        by_day[(scan[0] - NOW) // DAY].append(scan)
    spent = 0.0
    for day in range(max(by_day) + 1):
        if day == days // 3:
            with farm.records.transaction() as session:
                for lot in world.recalled:
                    session.get_one(Lot, lot).recalled_at = NOW + day * DAY
        for at, lot, serial, address, agent in by_day[day]:
            recorder.note(lot, serial, address, agent, at)
        begun = time.perf_counter()
        recorder.write(NOW + day * DAY)
        spent += time.perf_counter() - begun
    assert recorder.lost == 0
    return spent


def report(farm: Farm, world: World) -> None:
    """Say what each rule named, and how much of it was right."""
    with farm.records.session() as session:
        rows = session.execute(
            select(ScanSign.rule, ScanCase.serial).join(ScanCase, ScanCase.id == ScanSign.case_id)
        ).all()
        for row in session.scalars(select(ScanUsual)):
            print(
                f"learnt from {row.packs} packs: up to {row.phones} phones, {row.days} days, "
                f"{len(row.provinces)} provinces"
            )
        ranked = cases.to_look_into(session, select(ScanCase))
    named: dict[str, set[str]] = defaultdict(set)
    for rule, serial in rows:
        named[rule].add(serial)
    scanned = {serial for _at, _lot, serial, *_ in world.scans}
    print(f"{'rule':<18} named  right  precision  recall")
    for rule in signs.RULES:
        meant = {
            serial
            for serial, sort in world.fraud.items()
            if rule in MEANT_FOR[sort] and serial in scanned
        }
        right = named[rule] & set(world.fraud)
        precision = f"{len(right) / len(named[rule]):.2f}" if named[rule] else "-"
        recall = f"{len(named[rule] & meant) / len(meant):.2f}" if meant else "-"
        print(f"{rule:<18} {len(named[rule]):5} {len(right):6} {precision:>10} {recall:>7}")
    right = [line.case.serial in world.fraud for line in ranked]
    weak = [
        line.case.serial in world.fraud
        for line in ranked
        if not {one.rule for one in line.reasons} & set(BY_BOOKS)
    ]
    for count in (10, 20, 50):
        print(
            f"of the first {count} lines {sum(right[:count])} are right; of the first {count} "
            f"that the books say nothing of, {sum(weak[:count])} (of {len(weak)})"
        )
    anything = set().union(*named.values())
    print(f"any rule: {len(anything)} named, {len(anything & set(world.fraud))} right")
    for sort in MEANT_FOR:
        there = [one for one, its in world.fraud.items() if its == sort and one in scanned]
        print(f"{sort}: {sum(one in anything for one in there)} of {len(there)} noticed")


def main() -> int:
    """Play, and say how the rules did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--packs", type=int, default=3000, help="of each of the two products")
    parser.add_argument("--days", type=int, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        farm = open_farm(Path(folder))
        networks = Path(folder) / "networks.csv"
        networks.write_text(
            "".join(f"10.{i}.0.0/16,{name}\n" for i, name in enumerate(PROVINCES)), "utf-8"
        )
        world = World(random.Random(asked.seed))
        play(farm, world, asked.packs, asked.days)
        spent = run(farm, world, asked.days, networks)
        sorts = Counter(world.fraud.values())
        print(f"{len(world.scans)} scans of {asked.days} days, written in {spent:.1f} s")
        print("counterfeiters' labels: " + ", ".join(f"{n} {s}" for s, n in sorts.items()))
        report(farm, world)
        farm.records.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
