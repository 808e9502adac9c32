"""Whether a wrong order ever opens a valve: replayed, late, reordered, doubled or forged ones.

The gateway's own check of an order, its watering, its book on a real store, and the supervisor's
rules on the model of a relay board, as in the tests; the clock is turned by hand. Some orders are
genuine, so that there is something to replay, and each of those may open its valve once. All
others may open none: what the board's coils did is compared after each order, and in the seconds
after it.

    .venv/bin/python bench/wishes.py --orders 100000 --seed 1
"""

import argparse
import json
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "valves"))

from watered_farm import Farm

from nongso.gateway.orders import CommandRefused, signature, verify
from nongso.gateway.stops import ONE

KEY = "k" * 43
TTL = 300
KINDS = {"genuine": 6, "doubled": 22, "replayed": 22, "late": 10, "reordered": 10, "forged": 30}
KEPT = 200  # orders that an enemy has on tape

Offer = tuple[dict[str, str], str]  # the signed text, and the poll that it answers


class Enemy:
    """Somebody who holds the wire, and has everything that ever went over it."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.number = 1_790_000_000_000
        self.tape: list[Offer] = []

    def poll(self) -> str:
        return f"{self.dice.getrandbits(128):032x}"

    def body(self, poll: str, **more: Any) -> dict[str, Any]:
        self.number += self.dice.randrange(1, 5)
        told = {"id": str(uuid.UUID(int=self.dice.getrandbits(128))), "number": self.number}
        told |= {"gateway": "binh-lu", "poll": poll, "ttl": TTL, "age": 0, "by": "Lò Văn Páo"}
        wanted = {"do": "water", "zone": self.dice.choice(("k1", "k2")), "seconds": 3}
        return told | wanted | more

    def signed(self, body: dict[str, Any], key: str = KEY) -> Offer:
        text = json.dumps(body, ensure_ascii=False)
        return {"body": text, "signature": signature(text, key)}, body["poll"]

    def forged(self, poll: str) -> Offer:
        """An order that the platform has not signed so."""
        offer, _ = self.signed(self.body(poll))
        way = self.dice.randrange(6)
        if way == 0:
            return self.signed(self.body(poll), key="x" * 43)
        if way == 1:
            return self.signed(self.body(poll, gateway="bac-ha"))
        if way == 2:
            return self.signed(self.body(poll, ttl=self.dice.choice((True, None, "300", 1e999))))
        if way == 3:
            return self.signed(self.body(poll, id=self.dice.choice((None, 7, "", "k1"))))
        which = "body" if way == 4 else "signature"
        text = list(offer[which])
        text[self.dice.randrange(len(text))] = self.dice.choice('0123456789abcdef{}"é')
        changed = offer | {which: "".join(text)}
        return (changed if changed != offer else {**offer, "signature": ""}), poll


def deliver(farm: Farm, offer: Offer, poll: str, waited: float) -> str:
    """Bring an order to the gateway as its uplink does; what became of it, in a word."""
    try:
        command = verify(offer[0], key=KEY, gateway="binh-lu", poll=poll, waited_seconds=waited)
    except CommandRefused as refused:
        return refused.code
    outcome = farm.watering.order(command, ONE)
    return f"{outcome['state']}: {outcome['code']}"


def openings(farm: Farm) -> int:
    return int(farm.openings(0) + farm.openings(1))


def play(farm: Farm, enemy: Enemy, kind: str) -> str:
    """One order of a kind."""
    dice, poll = enemy.dice, enemy.poll()
    waited = dice.uniform(0.0, TTL)
    if kind == "genuine":
        offer = enemy.signed(enemy.body(poll))
        enemy.tape = [*enemy.tape[-KEPT + 1 :], offer]
    elif kind == "doubled" and enemy.tape:  # while its poll is still open
        offer = dice.choice(enemy.tape)
        poll = offer[1]
    elif kind == "replayed" and enemy.tape:
        offer = dice.choice(enemy.tape)
    elif kind == "late":
        offer, waited = enemy.signed(enemy.body(poll)), TTL + dice.uniform(0.001, 1e6)
    elif kind == "reordered":  # the stop was pressed after it and is here before it
        wish = enemy.body(poll)
        zone = dice.choice((wish["zone"], None))
        stop = enemy.body(poll, do="stop", zone=zone)
        deliver(farm, enemy.signed(stop), poll, 0.0)
        offer = enemy.signed(wish)
    else:
        offer = enemy.forged(poll)
    return deliver(farm, offer, poll, waited)


def main() -> int:
    """Count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began, enemy = time.monotonic(), Enemy(asked.seed)
    told: Counter[tuple[str, str]] = Counter()
    opened = wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        farm = Farm(Path(folder), max_day_seconds=86_400)
        farm.turn(2)
        before = 0
        for _ in range(asked.orders):
            kind = enemy.dice.choices(list(KINDS), list(KINDS.values()))[0]
            told[kind, play(farm, enemy, kind)] += 1
            if kind == "genuine":
                opened += openings(farm) - before
                wrong += openings(farm) - before > 1
                before = openings(farm)
                farm.turn(5)  # its seconds, and the valve's rest
            wrong += openings(farm) != before
            before = openings(farm)
            if len(farm.rig.board.edges) > 1000:
                farm.rig.board.edges.clear()
                before = 0
            farm.wall_offset += 30.0  # so that a day's account comes and goes
    for (kind, became), count in sorted(told.items()):
        print(f"{kind:10} {became:32} {count}")
    print(f"{asked.orders} orders, seed {asked.seed}: {opened} openings by genuine ones,"
          f" {wrong} wrong; {time.monotonic() - began:.0f} s")  # fmt: skip
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
