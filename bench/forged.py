"""Labels that are guessed, mutated, borrowed and dressed up, by the million, against the pages.

A cooperative lives a season with a mark wherever a person is (``public_farm``), and packs three
lots with labels of their own. Then label addresses are made up: numbers of the right shape that
nobody issued, real ones with letters changed, swapped, doubled or mistaken for others, numbers of
one lot under another lot or another GTIN, real ones in small letters or with hyphens, and texts
that want to be read as SQL, HTML or a path. Each answer must be the right one: the pack's page
where the address means a label that was issued, else 404 (400 where it is no GS1 address), never
5xx; and no page may hold the number of another label, or any mark.

Labels come in batches, each with dice of its own, in several processes; with ``--kept`` a run that
was stopped goes on where it was.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from flask import Flask
from sqlalchemy import select

from nongso.platform.traceability.identifiers import (
    ALPHABET,
    SERIAL_LETTERS,
    as_typed,
    new_lot_code,
    new_serial,
)
from nongso.platform.traceability.labelling import account as labelling_account
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.records import LabelCode

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tests/traceability")]
sys.path.append(str(Path(__file__).parents[1] / "tests" / "platform"))
from addresses import ask
from cooperative import open_farm
from platform_site import Site, open_site
from public_farm import MARK, fill

GTIN, OTHER_GTIN = "09524000059109", "09524000059116"  # 952: GS1's prefix for demonstrations
MISTAKEN = {
    "B": "8",
    "8": "B",
    "S": "5",
    "5": "S",
    "Z": "2",
    "2": "Z",
    "G": "6",
    "Q": "O",
    "V": "Y",
}
LIKE_A_SERIAL = re.compile(f"[{ALPHABET}]{{{SERIAL_LETTERS},}}")
HOSTILE = [
    "' OR '1'='1",
    '" UNION SELECT serial FROM label_code --',
    "<script>alert(1)</script>",
    "../../platform.json",
    "%00",
    "{{7*7}}",
    "\u202eABC",
    "ＡＢＣＤ",
    "%",
    "_",
    "*",
    "A" * 1500,
]


@dataclass(frozen=True)
class Market:
    """The labels that were really issued, and where to ask."""

    app: Flask
    labels: dict[str, str]  # serial, lot
    serials: list[str]
    lots: list[str]


def open_market(site: Site) -> Market:
    """Let the season pass and print the labels."""
    fill(site)
    farm = site.farm
    product = farm.product(name="Miến sợi", gtin=GTIN)
    for _lot in range(3):
        code = farm.packed(40, product=product).code
        farm.do(labelling.issue, labelling.Wish(code, 30, codes="unit"), {"text": "Miến"})
        farm.do(labelling_account.apply, labelling_account.Told(code, ()))
    with farm.records.session() as session:
        wanted = select(LabelCode.serial, LabelCode.lot).order_by(LabelCode.lot, LabelCode.running)
        labels = {serial: lot for serial, lot in session.execute(wanted)}  # noqa: C416
    return Market(site.stranger.application, labels, list(labels), sorted(set(labels.values())))


def guessed(dice: random.Random, market: Market) -> tuple[str, str]:
    """A number of the right shape, of a lot that is there or not."""
    lot = dice.choice([*market.lots, new_lot_code()])
    return lot, new_serial()


def mutated(dice: random.Random, market: Market) -> tuple[str, str]:
    """A real label with a letter or two that are not its own."""
    serial = dice.choice(market.serials)
    parts = [market.labels[serial], serial]
    which = dice.randrange(2)
    text = parts[which]
    for _change in range(dice.randint(1, 2)):
        at = dice.randrange(len(text))
        match dice.randrange(5):
            case 0:
                text = text[:at] + dice.choice(ALPHABET) + text[at + 1 :]
            case 1:
                text = text[:at] + text[at + 1 :] + text[at]
            case 2:
                text = text[:at] + text[at] + text[at:]
            case 3:
                text = (text[:at] + text[at + 1 :]) or "A"
            case _:
                text = text[:at] + MISTAKEN.get(text[at], "0") + text[at + 1 :]
    parts[which] = text
    return parts[0], parts[1]


def borrowed(dice: random.Random, market: Market) -> tuple[str, str]:
    """A real number under a lot that is not its own."""
    return dice.choice(market.lots), dice.choice(market.serials)


def dressed_up(dice: random.Random, market: Market) -> tuple[str, str]:
    """A real label as people type it."""
    serial = dice.choice(market.serials)
    typed = "-".join((serial[:3], serial[3:6], serial[6:]))
    return market.labels[serial].lower(), dice.choice([serial.lower(), typed, f" {serial} "])


def hostile(dice: random.Random, market: Market) -> tuple[str, str]:
    """A text that wants to be something else."""
    serial = dice.choice(market.serials)
    text = dice.choice(HOSTILE)
    return dice.choice(
        [(text, serial), (market.labels[serial], text), (market.labels[serial], serial + text)]
    )


SORTS: tuple[Callable[[random.Random, Market], tuple[str, str]], ...] = (
    guessed,
    mutated,
    borrowed,
    dressed_up,
    hostile,
)


def addressed(dice: random.Random, lot: str, serial: str) -> tuple[str, str]:
    """The address of a label, and the GTIN that it names, if any."""
    lot, serial = quote(lot, safe=""), quote(serial, safe="")
    match dice.randrange(4):
        case 0:
            return f"/T/{lot}/{serial}", ""
        case 1:
            return f"/t/{lot}/{serial}?lang=en", ""
        case 2:
            return f"/01/{GTIN}/10/{lot}/21/{serial}", GTIN
        case _:
            return f"/01/{OTHER_GTIN}/10/{lot}/21/{serial}", OTHER_GTIN


def judged(market: Market, address: str, label: tuple[str, str], gtin: str) -> tuple[int, str]:
    """The status of an answer, and what is wrong with it; empty where nothing is."""
    status, body = ask(market.app, address, HTTP_ACCEPT="text/html")
    text = body.decode()
    lot, serial = as_typed(label[0]), as_typed(label[1])
    is_issued = market.labels.get(serial) == lot and gtin in ("", GTIN)
    if status >= 500:
        return status, "fell over"
    if is_issued and status == 200 and (lot not in text or serial not in text):
        return status, "shows something else"
    # GS1 allows fewer letters in a number than people type: small letters yes, blanks no.
    if is_issued != (status == 200) and not (is_issued and gtin and status in (400, 404)):
        return status, "should be " + ("the pack's page" if is_issued else "refused")
    if MARK in text:
        return status, "tells of a person"
    # A serial can only stand where so many of its letters do.
    shown = " ".join(LIKE_A_SERIAL.findall(text.upper()))
    if any(one in shown and one not in serial and one not in lot for one in market.serials):
        return status, "tells another label's number"
    return status, ""


class Batch(NamedTuple):
    """What came of some labels: how many of each answer, and the first that were wrong."""

    number: int
    found: Counter[str]
    wrong: list[str]
    wrongs: int


_markets: list[Market] = []  # one in each process


def begin(folder: str) -> None:
    """Let a season pass in this process, in a folder of its own."""
    _markets.append(open_market(open_site(open_farm(Path(tempfile.mkdtemp(dir=folder))))))


def run_batch(seed: int, number: int, count: int) -> Batch:
    """Make up so many labels and judge the answers; the same seed and number are the same dice."""
    (market,) = _markets
    dice = random.Random(f"{seed}/{number}")
    found: Counter[str] = Counter()
    wrong: list[str] = []
    for at in range(count):
        sort = SORTS[at % len(SORTS)]
        label = sort(dice, market)
        address, gtin = addressed(dice, *label)
        status, why = judged(market, address, label, gtin)
        found[f"{sort.__name__} {status}"] += 1
        if why:
            wrong.append(f"{sort.__name__}: {status} {why}: {address[:200]}")
    return Batch(number, found, wrong[:20], len(wrong))


def read_kept(file: Path | None) -> dict[int, Batch]:
    """The batches that an earlier run has finished."""
    if file is None or not file.exists():
        return {}
    rows = map(json.loads, file.read_text("utf-8").splitlines())
    kept = (Batch(number, Counter(found), wrong, wrongs) for number, found, wrong, wrongs in rows)
    return {one.number: one for one in kept}


def main() -> int:
    """Run; 1 if anything did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument(
        "--kept", type=Path, help="a file of finished batches, to go on after a stop"
    )
    wish = parser.parse_args()
    done = read_kept(wish.kept)
    numbers = [one for one in range(-(-wish.count // wish.batch)) if one not in done]
    begun, made = time.monotonic(), 0
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(wish.processes, initializer=begin, initargs=(folder,)) as pool,
    ):
        running = [pool.submit(run_batch, wish.seed, one, wish.batch) for one in numbers]
        for each in as_completed(running):
            batch = each.result()
            done[batch.number] = batch
            made += wish.batch
            if wish.kept is not None:
                with wish.kept.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(batch) + "\n")
    seconds = time.monotonic() - begun
    found: Counter[str] = sum((one.found for one in done.values()), Counter())
    wrongs = sum(one.wrongs for one in done.values())
    if made:
        print(f"{made} labels in {seconds:.0f} s, {made / seconds:.0f} a second")
    print(f"{found.total()} labels in all; answers:")
    print(", ".join(f"{what}: {count}" for what, count in sorted(found.items())))
    for line in [line for one in done.values() for line in one.wrong][:20]:
        print("WRONG", line)
    print(f"{wrongs} wrong")
    return bool(wrongs)


if __name__ == "__main__":
    sys.exit(main())
