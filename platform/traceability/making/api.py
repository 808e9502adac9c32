"""Making for programs: recipes, weigh-ins, batches, the balance of a season: ``/api/v1/…``."""

import datetime
import unicodedata
import uuid
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from flask import Blueprint, Response, jsonify, request

from nongso.platform.accounts import allow, somebody
from nongso.platform.errors import Problem
from nongso.platform.languages import _, language
from nongso.platform.openapi import one_of_these, operation, whole
from nongso.platform.query import whole as whole_asked
from nongso.platform.store import records, transaction
from nongso.platform.traceability import sentences
from nongso.platform.traceability.api import body_of, lot_answer
from nongso.platform.traceability.desk import READERS, desk, producers, today
from nongso.platform.traceability.errors import Refused
from nongso.platform.traceability.making import operations as ops
from nongso.platform.traceability.making import reckoning
from nongso.platform.traceability.making.recipe_book import recipes
from nongso.platform.traceability.making.reckoning import Balance
from nongso.platform.traceability.making.yields import Usual
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.seasons import balance as season_balance
from nongso.platform.traceability.shapes import (
    LotAnswer,
    RecipesAnswer,
    SeasonBalanceAnswer,
    UsualAnswer,
)

blueprint = Blueprint("making_api", __name__, url_prefix="/api/v1")

# JSON has one sort of number: 20.0 is as whole as 20.
Grams = Annotated[float, msgspec.Meta(ge=1, le=10**9, multiple_of=1)]
Permille = Annotated[float, msgspec.Meta(ge=0, le=999, multiple_of=1)]
Text = Annotated[str, msgspec.Meta(max_length=200)]
Key = Annotated[str, msgspec.Meta(max_length=60)]


class WeighIn(msgspec.Struct, forbid_unknown_fields=True):
    """What a household brought. The same ``id`` twice is one weigh-in.

    ``purpose`` is ``bought``, or ``milling``: then it stays the household's. ``bought_from`` says
    from whom it was bought where the household did not grow it, ``plot`` on which plot it grew.
    """

    producer: Key
    grams: Grams
    gathered: datetime.date
    day: datetime.date
    kind: Key = "roots"
    purpose: Key = ops.BOUGHT
    bought_from: Text = ""
    reason: Text = ""
    moisture_permille: Permille | None = None
    name: Key = ""
    plot: Key = ""
    id: uuid.UUID | None = None


class Taken(msgspec.Struct, forbid_unknown_fields=True):
    """So much of a lot."""

    lot: Key
    grams: Grams


class BatchMade(msgspec.Struct, forbid_unknown_fields=True):
    """A batch: what went in and what came out. The same ``id`` twice is one batch."""

    step: Key
    inputs: Annotated[list[Taken], msgspec.Meta(min_length=1, max_length=500)]
    grams: Grams
    day: datetime.date
    moisture_permille: Permille | None = None
    reason: Text = ""
    id: uuid.UUID | None = None


_REFUSED = {
    201: "the lot",
    400: "the body cannot be read",
    409: "refused, with the reason's code and a sentence; asks is true where a reason answers it",
}


@blueprint.post("/weigh-ins")
@allow("clerk", scope="records")
@operation(body=WeighIn, answer=LotAnswer, answers=_REFUSED)
def weigh_in() -> tuple[Response, int]:
    """Record what a household brought."""
    asked = body_of(WeighIn)
    _check(asked.day)
    _check(asked.gathered)
    wish = ops.Intake(
        _line(asked.producer),
        int(asked.grams),
        asked.gathered,
        asked.day,
        asked.kind,
        asked.purpose,
        _line(asked.bought_from),
        _line(asked.reason),
        _whole(asked.moisture_permille),
        _line(asked.name),
        _line(asked.plot),
    )
    return _record(ops.take_in, asked.id, wish)


@blueprint.post("/batches")
@allow("clerk", scope="records")
@operation(body=BatchMade, answer=LotAnswer, answers=_REFUSED)
def make_batch() -> tuple[Response, int]:
    """Record a batch of a recipe."""
    asked = body_of(BatchMade)
    _check(asked.day)
    takes = tuple(ops.Take(_line(one.lot).upper(), int(one.grams)) for one in asked.inputs)
    reason = _line(asked.reason)
    wet, grams = _whole(asked.moisture_permille), int(asked.grams)
    wish = ops.Batch(asked.step, takes, grams, asked.day, wet, reason)
    return _record(ops.make_batch, asked.id, wish)


def _line(text: str) -> str:
    """A line of text as a form would read it."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    if any(unicodedata.category(letter)[0] == "C" for letter in line):
        raise Problem(409, "bad_text", _("Ô này có ký tự lạ. Xin gõ lại."))
    return line


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _check(day: datetime.date) -> None:
    if not datetime.date(2024, 1, 1) <= day <= today():
        raise Problem(409, "bad_day", _("Ngày phải từ 2024-01-01 đến hôm nay."))


def _record(deed: Callable[..., Lot], id_: uuid.UUID | None, wish: Any) -> tuple[Response, int]:
    try:
        with transaction() as session:
            lot = deed(desk(session), str(id_ or uuid.uuid4()), wish)
    except Refused as e:
        asks = bool(getattr(e, "asks", False))
        raise Problem(409, e.code, sentences.refusal(e), asks=asks, field=e.field) from e
    return jsonify(lot_answer(lot)), 201


@blueprint.get("/recipes")
@allow(*READERS, scope="read")
@operation(answers={200: "chains with their kinds and steps"}, answer=RecipesAnswer)
def recipe_list() -> Response:
    """What is made of what, and what usually comes out here."""
    session, cooperative = records(), somebody().cooperative or ""
    tongue = language()
    return jsonify(
        {
            "chains": [
                {
                    "chain": chain.key,
                    "name": chain.words.said(tongue),
                    "kinds": [
                        {
                            "kind": kind.key,
                            "name": kind.words.said(tongue),
                            "comes_in": kind.comes_in is not None,
                            "packed": kind.packed is not None,
                        }
                        for kind in chain.kinds
                    ],
                    "steps": [
                        {
                            "step": step.key,
                            "name": step.title.said(tongue),
                            "takes": list(step.takes),
                            "gives": step.gives,
                            "usual": _usual(reckoning.usual_of(session, cooperative, step)),
                            "source": step.source,
                        }
                        for step in chain.steps
                    ],
                }
                for chain in recipes().chains.values()
            ]
        }
    )


def _usual(band: Usual | None) -> UsualAnswer | None:
    if band is None:
        return None
    low, high = round(band.low_percent, 2), round(band.high_percent, 2)
    return {"low_percent": low, "high_percent": high, "batches": band.batches}


@blueprint.get("/balance")
@allow(*READERS, scope="read")
@operation(
    answers={200: "made = passed on + lost + sampled + away + destroyed + left, for each kind"},
    answer=SeasonBalanceAnswer,
    query={
        "chain": one_of_these("which recipe; dong if left out", lambda: recipes().chains),
        "season": whole("year in which the season began; today's if left out", 2000, 2999),
    },
)
def balance() -> Response:
    """The mass balance of a chain in a season."""
    chain = recipes().chains.get(request.args.get("chain", "dong"))
    if chain is None:
        known = ", ".join(recipes().chains)
        raise Problem(400, "bad_chain", _("chain phải là một trong: %(known)s.", known=known))
    now = season_balance.season_of(chain, today())
    season = season_balance.season(chain, whole_asked("season", now.year, 2000, 2999))
    session, cooperative = records(), somebody().cooperative or ""
    kinds = season_balance.kinds(session, cooperative, chain, season)
    return jsonify(
        {
            "chain": chain.key,
            "since": season.since.isoformat(),
            "until": season.until.isoformat(),
            "kinds": [
                {
                    "kind": one.kind.key,
                    "bought_in_kg": one.bought / 1000,
                    "milled_kg": one.milled / 1000,
                    **_in_kg(one.balance),
                }
                for one in kinds
            ],
            "steps": [
                {
                    "step": one.step.key,
                    "batches": one.batches,
                    "in_kg": one.in_grams / 1000,
                    "out_kg": one.out_grams / 1000,
                    "percent": round(one.percent, 2),
                    "usual": _usual(one.usual),
                    "unusual": one.unusual,
                }
                for one in season_balance.steps(session, cooperative, chain, season)
            ],
            "lands": [
                {
                    "producer": one.producer.id,
                    "code": one.producer.code,
                    "area_m2": one.land.area_m2,
                    "brought_kg": one.land.brought_grams / 1000,
                    "usual_kg": None
                    if one.land.usual_grams is None
                    else one.land.usual_grams / 1000,
                }
                for one in season_balance.lands(session, producers(), chain, season)
            ],
        }
    )


def _in_kg(found: Balance) -> dict[str, float]:
    return {f"{name}_kg": amount / 1000 for name, amount in vars(found).items()}
