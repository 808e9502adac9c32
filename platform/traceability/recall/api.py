"""Recalls and where goods are, for programs: ``/api/v1/recalls…`` and ``/api/v1/lots/…/where``."""

import datetime
import unicodedata
import uuid
from collections.abc import Callable
from typing import Annotated, Any, TypedDict, TypeVar

import msgspec
from flask import Blueprint, Response, jsonify, request, url_for
from sqlalchemy import select

from nongso.platform import query
from nongso.platform.accounts import allow, scoped, somebody
from nongso.platform.errors import Problem, unreadable
from nongso.platform.languages import _
from nongso.platform.openapi import one_of, operation, text_of, whole
from nongso.platform.store import records, transaction
from nongso.platform.traceability import sentences
from nongso.platform.traceability.desk import READERS, desk, settings
from nongso.platform.traceability.errors import Refused
from nongso.platform.traceability.moving.desk import account_of, holders_of
from nongso.platform.traceability.recall import reach as recall_reach
from nongso.platform.traceability.recall import recalling as recall
from nongso.platform.traceability.recall.pages import advice
from nongso.platform.traceability.recall.reach import Hit, Origin
from nongso.platform.traceability.recall.records import DESTROY, ORIGINS, OUTCOMES, Recall
from nongso.platform.traceability.records import PACKS, Lot

blueprint = Blueprint("recalls_api", __name__, url_prefix="/api/v1")

MOST = 200
KEY, WHY, ADVICE, ENDED_WHY = 60, 200, 300, 300  # characters at most


def _words(*words: str) -> msgspec.Meta:
    """Describe a word among these; ``_known`` refuses others, and names them."""
    return msgspec.Meta(extra_json_schema={"enum": list(words)})


def _letters(least: int, most: int) -> msgspec.Meta:
    """Describe a text of so many characters; ``_short`` refuses others."""
    return msgspec.Meta(extra_json_schema={"minLength": least, "maxLength": most})


class HitLotAnswer(TypedDict):
    """A lot that is hit. ``labels`` are the running numbers of its labels."""

    lot: str
    kind: str
    name: str
    depth: int
    packs: int
    in_store: int
    with_holders: int
    gone: int
    left_kg: float
    labels: list[list[int]]


class HitHolderAnswer(TypedDict):
    """Somebody who has some of it."""

    holder: str
    name: str
    contact: str
    lot: str
    packs: int
    kg: float
    cartons: list[str]


class HitAnswer(TypedDict):
    """What would be hit. ``sign`` is given back when the recall begins."""

    lots: list[HitLotAnswer]
    holders: list[HitHolderAnswer]
    sign: str


class ProgressAnswer(TypedDict):
    """What has come of what a holder had."""

    holder: str
    name: str
    contact: str
    packs: int
    kg: float
    returned_packs: int
    returned_kg: float
    destroyed_packs: int
    destroyed_kg: float
    still_packs: int
    still_kg: float
    called_at: int | None
    said: str


RecallAnswer = TypedDict(
    "RecallAnswer",
    {
        "id": str,
        "at": int,
        "from": str,
        "key": str,
        "why": str,
        "advice": str,
        "outcome": str,
        "state": str,
        "ended_at": int | None,
        "ended_how": str | None,
        "ended_why": str | None,
        "lots": list[str],
        "holders": list[ProgressAnswer],
    },
)
RecallAnswer.__doc__ = "A recall; ``state`` is ``open`` or ``ended``."


class RecallsAnswer(TypedDict):
    """Recalls, newest first."""

    recalls: list[RecallAnswer]


class WhereHolderAnswer(TypedDict):
    """What a holder has of a lot."""

    holder: str
    name: str
    packs: int
    kg: float


class WhereAnswer(TypedDict):
    """Where the goods of a lot are. Packs add up to what was packed."""

    lot: str
    packs: int
    loose: int
    cartoned: int
    with_holders: int
    sold: int
    sampled: int
    destroyed: int
    lost: int
    left_kg: float
    holders: list[WhereHolderAnswer]


class Wish(msgspec.Struct, forbid_unknown_fields=True, rename={"origin": "from"}):
    """A recall. The same ``id`` twice is one; with ``sign`` it is refused if more is hit by now.

    ``key`` is a lot's code, a household's id, the id of a diary line, or a day.
    """

    origin: Annotated[str, _words(*ORIGINS)]
    key: Annotated[str, _letters(1, KEY)]
    why: Annotated[str, _letters(1, WHY)]
    advice: Annotated[str, _letters(0, ADVICE)] = ""
    outcome: Annotated[str, _words(*OUTCOMES)] = DESTROY
    sign: str = ""
    since: datetime.date | None = None
    until: datetime.date | None = None
    id: uuid.UUID | None = None


class Ended(msgspec.Struct, forbid_unknown_fields=True):
    """The end of a recall. The same ``id`` twice is one."""

    outcome: Annotated[str, _words(*OUTCOMES)]
    why: Annotated[str, _letters(1, ENDED_WHY)]
    id: uuid.UUID | None = None


_Asked = TypeVar("_Asked", Wish, Ended)


def _body(kind: type[_Asked]) -> _Asked:
    try:
        return msgspec.json.decode(request.get_data(cache=False), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(error) from error


def _known(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        words = ", ".join(known)
        raise Problem(
            400, f"bad_{name}", _("%(name)s phải là một trong: %(words)s.", name=name, words=words)
        )
    return value


def _short(name: str, value: str, most: int, needed: bool = True) -> str:
    """A line of text as a form would read it.

    400 for a length that the description rules out, as it arrives; 409 for a text that has this
    length and says nothing, or holds odd signs.
    """
    text = " ".join(unicodedata.normalize("NFC", value).split())
    is_odd = any(unicodedata.category(letter)[0] == "C" for letter in text)
    is_length = int(needed) <= len(value) <= most
    if is_odd or not is_length or len(text) > most or (needed and not text):
        raise Problem(
            409 if is_length else 400,
            f"bad_{name}",
            _("%(name)s phải có từ 1 đến %(most)s ký tự.", name=name, most=most),
        )
    return text


def _origin(kind: str, key: str) -> Origin:
    _known("from", kind, ORIGINS)
    key = _short("key", key, KEY)
    if kind == "day":
        try:
            key = datetime.date.fromisoformat(key).isoformat()
        except ValueError:
            raise Problem(409, "bad_key", _("Ngày viết như 2026-11-21.")) from None
    return Origin(kind, key.upper() if kind == "lot" else key)


@blueprint.get("/recalls/hit")
@allow("clerk", scope="read")
@operation(
    answers={
        200: "what a recall would hit; nothing is written",
        409: "nothing would be hit, or no such day",
    },
    answer=HitAnswer,
    query={
        "from": one_of("from what; lot if left out", *ORIGINS),
        "key": text_of("the lot's code, household, diary line or day", needed=True, most=KEY),
    },
)
def hit() -> Response:
    """What a recall would hit now."""
    origin = _origin(request.args.get("from", "lot"), request.args.get("key", ""))
    try:
        found = recall_reach.hit(
            records(), somebody().cooperative or "", origin, settings().label_url
        )
    except Refused as e:
        raise Problem(409, e.code, sentences.refusal(e)) from e
    return jsonify(_hit(found))


def _hit(found: Hit) -> HitAnswer:
    return {
        "lots": [
            {
                "lot": one.code,
                "kind": one.kind,
                "name": one.name,
                "depth": one.depth,
                "packs": one.packs,
                "in_store": one.in_store,
                "with_holders": one.out,
                "gone": one.gone,
                "left_kg": one.grams / 1000,
                "labels": [list(span) for span in one.labels],
            }
            for one in found.lots
        ],
        "holders": [
            {
                "holder": one.holder,
                "name": found.names[one.holder],
                "contact": found.contacts[one.holder],
                "lot": one.lot,
                "packs": one.packs,
                "kg": one.grams / 1000,
                "cartons": list(one.cartons),
            }
            for one in found.holders
        ],
        "sign": found.sign,
    }


@blueprint.get("/recalls")
@allow(*READERS, scope="read")
@operation(
    answers={200: "recalls, newest first"},
    answer=RecallsAnswer,
    query={
        "state": one_of("only these; all if left out", "open", "ended"),
        "limit": whole("how many, 50 if left out", 1, MOST),
    },
)
def recalls() -> Response:
    """Recalls of the cooperatives that the asker may see."""
    limit = query.whole("limit", 50, 1, MOST)
    wanted = scoped(select(Recall), Recall.cooperative).order_by(Recall.at.desc(), Recall.id)
    if "state" in request.args:
        state = _known("state", request.args["state"], ("open", "ended"))
        ended = Recall.ended_at.is_(None) if state == "open" else Recall.ended_at.is_not(None)
        wanted = wanted.where(ended)
    found = records().scalars(wanted.limit(limit)).all()
    return jsonify({"recalls": [_recall(one) for one in found]})


def _record(deed: Callable[..., Recall], id_: uuid.UUID | None, wish: Any) -> Recall:
    try:
        with transaction() as session:
            return deed(desk(session), str(id_ or uuid.uuid4()), wish)
    except Refused as e:
        raise Problem(409, e.code, sentences.refusal(e)) from e


def _own(key: uuid.UUID) -> Recall:
    wanted = scoped(select(Recall), Recall.cooperative).where(Recall.id == str(key))
    found = records().scalar(wanted)
    if found is None:
        raise Problem(404, "recall_unknown", _("Không có đợt thu hồi này."))
    return found


def _recall(one: Recall) -> RecallAnswer:
    session = records()
    return {
        "id": one.id,
        "at": one.at,
        "from": one.origin,
        "key": one.origin_key,
        "why": one.why,
        "advice": one.advice,
        "outcome": one.outcome,
        "state": "open" if one.ended_at is None else "ended",
        "ended_at": one.ended_at,
        "ended_how": one.ended_how,
        "ended_why": one.ended_why,
        "lots": [line.lot for line in recall.lots_of(session, one.id)],
        "holders": [
            {
                "holder": at.holder.id,
                "name": at.holder.name,
                "contact": at.holder.contact,
                "packs": at.packs,
                "kg": at.grams / 1000,
                "returned_packs": at.returned_packs,
                "returned_kg": at.returned_grams / 1000,
                "destroyed_packs": at.destroyed_packs,
                "destroyed_kg": at.destroyed_grams / 1000,
                "still_packs": at.packs_there,
                "still_kg": at.grams_there / 1000,
                "called_at": at.called_at,
                "said": at.said,
            }
            for at in recall.progress(session, one.id)
        ],
    }


@blueprint.get("/recalls/<uuid:key>")
@allow(*READERS, scope="read")
@operation(
    answers={200: "the recall, and how far it has come", 404: "no such recall"},
    answer=RecallAnswer,
)
def one_recall(key: uuid.UUID) -> Response:
    """A recall."""
    return jsonify(_recall(_own(key)))


@blueprint.post("/recalls")
@allow("clerk", scope="records")
@operation(
    body=Wish,
    answer=RecallAnswer,
    answers={
        201: "recalled: nobody uses, packs, prints, sells or sends these lots any more",
        400: "the wish cannot be read",
        409: "nothing is hit, something else than was shown, or a text says nothing",
    },
)
def begin() -> tuple[Response, int]:
    """Recall; the same ``id`` again is the same recall."""
    asked = _body(Wish)
    origin = _origin(asked.origin, asked.key)
    if origin.kind == "household":
        origin = Origin(origin.kind, origin.key, asked.since, asked.until)
    wish = recall.Call(
        origin,
        _short("why", asked.why, WHY),
        _short("advice", asked.advice, ADVICE, needed=False)
        or advice(records(), somebody().cooperative or ""),
        _known("outcome", asked.outcome, OUTCOMES),
        asked.sign[:64],
    )
    made = _record(recall.begin, asked.id, wish)
    answer = jsonify(_recall(made))
    answer.headers["Location"] = url_for("recalls_api.one_recall", key=made.id)
    return answer, 201


@blueprint.post("/recalls/<uuid:key>/end")
@allow("clerk", scope="records")
@operation(
    body=Ended,
    answer=RecallAnswer,
    answers={
        200: "ended",
        400: "the wish cannot be read",
        404: "no such recall",
        409: "ended before, goods to be destroyed are in store still, or why says nothing",
    },
)
def end(key: uuid.UUID) -> Response:
    """End a recall."""
    found, asked = _own(key), _body(Ended)
    how = _known("outcome", asked.outcome, OUTCOMES)
    wish = recall.Ending(found.id, how, _short("why", asked.why, ENDED_WHY))
    _record(recall.end, asked.id, wish)
    records().expire_all()
    return jsonify(_recall(_own(key)))


@blueprint.get("/lots/<code>/where")
@allow(*READERS, scope="read")
@operation(answers={200: "where the goods of the lot are", 404: "no such lot"}, answer=WhereAnswer)
def where(code: str) -> Response:
    """Where the goods of a lot are now."""
    lot = records().scalar(scoped(select(Lot), Lot.cooperative).where(Lot.code == code.upper()))
    if lot is None:
        raise Problem(404, "lot_unknown", _("Không có lô %(lot)s.", lot=code))
    found = account_of(lot)
    answer: WhereAnswer = {
        "lot": lot.code,
        "packs": found.packs,
        "loose": found.loose,
        "cartoned": found.cartoned,
        "with_holders": found.shipped,
        "sold": found.sold,
        "sampled": found.sampled,
        "destroyed": found.destroyed,
        "lost": found.lost,
        "left_kg": 0.0 if lot.kind == PACKS else (lot.left_grams or 0) / 1000,
        "holders": [
            {
                "holder": holder.id,
                "name": holder.name,
                "packs": held.packs,
                "kg": held.grams / 1000,
            }
            for holder, held in holders_of(lot.code)
        ],
    }
    return jsonify(answer)
