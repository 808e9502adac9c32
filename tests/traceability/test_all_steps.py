"""Whatever clerks do, in whatever order: the stream is the record and nothing comes from nothing.

A machine that presses every button of making in random order, also the wrong ones. After each
step the tables equal what the stream makes, no stock is below zero, and everything that came in
is somewhere: in = out + loss + sample + stock.
"""

import contextlib
import tempfile
from pathlib import Path

from cooperative import TODAY, Farm, days_ago, new_id, open_farm
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nongso.platform.traceability import lots
from nongso.platform.traceability.errors import Refused
from nongso.platform.traceability.making import book as making_book
from nongso.platform.traceability.making import correcting, leaving, reckoning, regrouping
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.making.correcting import Correction
from nongso.platform.traceability.making.leaving import HandBack, HandOver, Loss, Undoing
from nongso.platform.traceability.making.recipe_book import recipes
from nongso.platform.traceability.making.regrouping import Merge, Split, TakeOver
from nongso.platform.traceability.records import PACKS, Flow, Lot
from nongso.platform.traceability.seasons import balance as season_balance
from nongso.platform.traceability.withdrawal import withdraw

which = st.integers(0, 30)
kilograms = st.integers(1, 120)
share = st.sampled_from((0.1, 0.5, 0.9, 1.0, 1.2))


class Clerks(RuleBasedStateMachine):
    """The buttons of making."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.farm: Farm = open_farm(Path(self.folder.name))

    def teardown(self) -> None:
        self.farm.records.close()
        self.folder.cleanup()

    @initialize()
    def begin(self) -> None:
        self.households = [self.farm.producer(new_id()) for _ in range(2)]
        self.product = self.farm.product(name="Miến")

    def lots(self, *kinds: str) -> list[Lot]:
        with self.farm.records.session() as session:
            found = session.query(Lot).order_by(Lot.born_number).all()
        return [lot for lot in found if not kinds or lot.kind in kinds]

    def pick(self, number: int, *kinds: str) -> Lot | None:
        found = self.lots(*kinds)
        return found[number % len(found)] if found else None

    def do(self, deed, wish, *more) -> None:
        with contextlib.suppress(Refused):  # then nothing may have moved: the invariants look
            self.farm.do(deed, wish, *more)

    def part(self, lot: Lot, of: float) -> ops.Take:
        return ops.Take(lot.code, round((lot.left_grams or 0) * of))

    @rule(household=st.integers(0, 1), kg=kilograms, milled=st.booleans(), bought=st.booleans())
    def weigh_in(self, household: int, kg: int, milled: bool, bought: bool) -> None:
        wish = ops.Intake(
            self.households[household],
            kg * 1000,
            days_ago(9),
            days_ago(8),
            purpose=ops.MILLING if milled else ops.BOUGHT,
            bought_from="chợ" if bought else "",
        )
        self.do(ops.take_in, wish)

    @rule(
        one=which, other=which, of=share, gives=share, step=st.sampled_from(("starch", "noodles"))
    )
    def make(self, one: int, other: int, of: float, gives: float, step: str) -> None:
        kinds = recipes().steps[step].takes
        found = {
            lot.code: lot for lot in (self.pick(one, *kinds), self.pick(other, *kinds)) if lot
        }
        takes = tuple(self.part(lot, of) for lot in found.values())
        total = sum(take.grams for take in takes)
        out = round(total * gives * (0.15 if step == "starch" else 1))
        self.do(ops.make_batch, ops.Batch(step, takes, out, days_ago(5), None, "thử"))

    @rule(number=which, packs=st.integers(1, 60))
    def pack(self, number: int, packs: int) -> None:
        if lot := self.pick(number, "noodles"):
            until = TODAY.replace(year=TODAY.year + 1)
            takes = (ops.Take(lot.code, packs * 500),)
            self.do(ops.pack, ops.Packing(self.product, takes, packs, 500, TODAY, until))

    @rule(number=which, of=share)
    def split(self, number: int, of: float) -> None:
        if lot := self.pick(number):
            self.do(regrouping.split, Split(self.part(lot, of), days_ago(3)))

    @rule(one=which, other=which, of=share)
    def merge(self, one: int, other: int, of: float) -> None:
        pair = [self.pick(one), self.pick(other)]
        takes = tuple(self.part(lot, of) for lot in pair if lot)
        self.do(regrouping.merge, Merge(takes, days_ago(2)))

    @rule(number=which, of=share, terms=st.sampled_from(regrouping.TERMS))
    def take_over(self, number: int, of: float, terms: str) -> None:
        if lot := self.pick(number):
            self.do(regrouping.take_over, TakeOver(self.part(lot, of), days_ago(2), terms))

    @rule(number=which, of=share)
    def hand_back(self, number: int, of: float) -> None:
        if lot := self.pick(number):
            wish = HandBack(lot.code, self.part(lot, of).grams, days_ago(1))
            self.do(leaving.hand_back, wish)

    @rule(number=which, to=st.integers(-1, 1))
    def hand_over(self, number: int, to: int) -> None:
        if lot := self.pick(number):
            place = "" if to < 0 else self.households[to]
            self.do(leaving.hand_over, HandOver(lot.code, place, days_ago(4)))

    @rule(number=which, of=share, cause=st.sampled_from(leaving.CAUSES))
    def lose(self, number: int, of: float, cause: str) -> None:
        if lot := self.pick(number):
            self.do(leaving.lose, Loss(lot.code, self.part(lot, of).grams, cause, days_ago(1)))

    @rule(number=which)
    def undo(self, number: int) -> None:
        with self.farm.records.session() as session:
            left = [
                event.id
                for lot in session.query(Lot)
                for event in lots.about(
                    session, lot.code, (making_book.LOSS, making_book.HANDED_BACK)
                )
            ]
        if left:
            self.do(leaving.undo, Undoing(left[number % len(left)], "nhầm"))

    @rule(number=which, of=share, taken=share, day=st.integers(0, 9))
    def correct(self, number: int, of: float, taken: float, day: int) -> None:
        lot = self.pick(number)
        if lot is None:
            return
        with self.farm.records.session() as session:
            takes = correcting.takes_of(correcting.made_by(session, lot.code)[-1])
        amount = round((lot.packs if lot.kind == PACKS else lot.made_grams or 0) * of)
        takes = tuple(ops.Take(take.lot, round(take.grams * taken)) for take in takes)
        wish = Correction(lot.code, amount, days_ago(day), "cân lại", None, takes)
        self.do(correcting.correct, wish)

    @rule(number=which)
    def withdraw(self, number: int) -> None:
        if lot := self.pick(number):
            self.do(withdraw, lot.code, "ghi nhầm")

    @invariant()
    def the_tables_equal_the_stream(self) -> None:
        with self.farm.records.session() as session:
            assert lots.differences(session) == []

    @invariant()
    def no_stock_is_below_zero(self) -> None:
        for lot in self.lots():
            assert lot.used_grams >= 0
            assert lot.left_grams is None or lot.left_grams >= 0
            balance = reckoning.balance_of(lot)
            assert balance is None or min(vars(balance).values()) >= 0

    @invariant()
    def everything_that_came_in_is_somewhere(self) -> None:
        standing = [lot for lot in self.lots() if lot.withdrawn_at is None]
        came_in = sum(lot.made_grams or 0 for lot in standing if lot.in_grams is None)
        stock = sum(lot.left_grams or 0 for lot in standing if lot.kind != PACKS)
        packed = sum(lot.packs * (lot.pack_grams or 0) for lot in standing)
        left = sum(lot.lost + lot.sampled + lot.away + lot.destroyed for lot in standing)
        process = sum(
            lot.in_grams - (lot.packs * (lot.pack_grams or 0) or lot.made_grams or 0)
            for lot in standing
            if lot.in_grams is not None
        )
        assert came_in == stock + packed + left + process
        with self.farm.records.session() as session:
            flowed = {lot.code: 0 for lot in standing}
            for flow in session.query(Flow):
                if flow.target in flowed and flow.source in flowed:
                    flowed[flow.source] += flow.grams or 0
        for lot in standing:
            if lot.kind != PACKS:
                other = lot.lost + lot.sampled + lot.away + lot.destroyed
                assert flowed[lot.code] + other == lot.used_grams

    @invariant()
    def the_season_closes(self) -> None:
        chain = recipes().chains["dong"]
        with self.farm.records.session() as session:
            found = season_balance.kinds(
                session, "binh-lu", chain, season_balance.season_of(chain, TODAY)
            )
        for one in found:
            made, *rest = vars(one.balance).values()
            assert made == sum(rest), one.kind.key


Clerks.TestCase.settings = settings(
    max_examples=6,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestWhateverIsPressedTheBooksClose = Clerks.TestCase
