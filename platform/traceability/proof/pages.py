"""The log over HTTP: files for machines (C2SP tlog-tiles), proof files, and pages for people.

Tiles and bundles never change and may be kept by any cache; only what a checkpoint covers is
served. Cosignatures come in here; a witness proves itself by the signature.
"""

import json
import time
from typing import Any

import msgspec
from flask import Blueprint, Flask, Response, current_app, render_template, request

from nongso.labels.papers import pdf
from nongso.platform.accounts import owns, public_without_cookies, who
from nongso.platform.errors import Problem
from nongso.platform.languages import _
from nongso.platform.openapi import operation
from nongso.platform.qr import picture
from nongso.platform.settings import Settings
from nongso.platform.store import records, transaction
from nongso.platform.traceability.identifiers import as_typed, lot_id
from nongso.platform.traceability.proof import (
    board_paper,
    cosigning,
    lotfile,
    merkle,
    notes,
    reading,
    showing,
    tiles,
)
from nongso.platform.traceability.proof.notes import NoteError
from nongso.platform.traceability.proof.records import LogCheckpoint
from nongso.platform.traceability.proof.signing import LOG_KEY
from nongso.platform.traceability.proof.tiles import Tile
from nongso.platform.traceability.proof.tlogproof import EntryProof
from nongso.platform.traceability.records import PACKS, Lot

blueprint = Blueprint("log", __name__)

FOR_EVER = "public, max-age=31536000, immutable"
READERS = ("clerk", "officer", "admin")
RETRY_SECONDS = 10


class LotProof(msgspec.Struct):
    """A lot's proof file, as far as programs look into it; docs/proof.md says all of it."""

    format: str
    lot: str
    checkpoint: str


def prepare(app: Flask) -> None:
    """Let templates ask how a lot and the log stand."""
    app.jinja_env.globals["standing_of"] = showing.standing_of
    app.jinja_env.globals["log_trouble"] = showing.log_trouble


def _text(text: str, cache: str = "no-cache") -> Response:
    answer = Response(text, content_type="text/plain; charset=utf-8")
    return _open(answer, cache)


def _open(answer: Response, cache: str) -> Response:
    """Let any page, also a witness's or a verifier's own, read the answer."""
    answer.headers["Cache-Control"] = cache
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


def _newest() -> LogCheckpoint:
    found = reading.newest(records())
    if found is None:
        raise Problem(404, "not_signed_yet", _("Sổ công khai chưa có dấu niêm nào."))
    return found


@blueprint.get("/log/checkpoint")
@public_without_cookies
def checkpoint() -> Response:
    """The newest checkpoint with all cosignatures."""
    return _text(reading.note_of(records(), _newest()))


@blueprint.get("/log/tile/<path:rest>")
@public_without_cookies
def tile(rest: str) -> Response:
    """A tile of hashes, or a bundle of entries."""
    wanted = Tile.parse(rest)
    size = _newest().size
    if wanted is None or wanted.width > tiles.width_at(size, wanted.level or 0, wanted.index):
        raise Problem(404, "no_such_tile", _("Không có phần này của sổ."))
    if wanted.level is None:
        begin = wanted.index * tiles.WIDTH
        found = reading.entries_between(records(), begin, begin + wanted.width)
        data = tiles.bundle(found)
    else:
        hashes = reading.tile(records(), wanted.level, wanted.index)
        data = hashes[: wanted.width * merkle.HASH_BYTES]
    return _open(Response(data, content_type="application/octet-stream"), FOR_EVER)


@blueprint.get("/log/keys")
@public_without_cookies
def keys() -> Response:
    """The log's keys, each with its entry and proof, so that a witness can follow them."""
    made = lotfile.keys_file(records(), _newest())
    return _open(Response(json.dumps(made), content_type="application/json"), "no-cache")


@blueprint.get("/log/entry/<int:number>")
@public_without_cookies
def entry_proof(number: int) -> Response:
    """The proof of one entry (C2SP tlog-proof)."""
    session, newest = records(), _newest()
    if number >= newest.size:
        raise Problem(404, "no_such_entry", _("Sổ chưa có bản ghi này."))
    hashes = merkle.inclusion(reading.nodes(session), number, newest.size)
    return _text(str(EntryProof(number, tuple(hashes), reading.note_of(session, newest))))


@blueprint.post("/log/cosignature/<int:size>")
@public_without_cookies
def cosign(size: int) -> tuple[Response, int]:
    """Take the cosignature of a witness: one signature line, for the checkpoint of that size."""
    data = request.get_data(cache=False)
    try:
        if len(data) > cosigning.LONGEST_LINE:
            raise NoteError("the line is too long")
        with transaction() as session:
            cosigning.take(session, size, data.decode())
    except (NoteError, UnicodeError) as error:
        raise Problem(400, "bad_cosignature", str(error)) from error
    return _text(""), 201


@blueprint.get("/log/proof/<code>")
@public_without_cookies
def lot_file(code: str) -> Response:
    """The proof file of a packed lot, to be kept."""
    answer = _proof(code)
    answer.headers["Content-Disposition"] = f'attachment; filename="lo-{as_typed(code)}.json"'
    return answer


@blueprint.get("/api/v1/lots/<code>/proof")
@public_without_cookies
@operation(
    answer=LotProof,
    answers={
        200: "the offline proof file; of packed lots for everybody",
        404: "no such lot",
        503: "its newest records are not signed yet; come back in a few seconds",
    },
)
def lot_proof(code: str) -> Response:
    """The offline proof file of a lot, for ``nongso trace verify``."""
    return _proof(code)


def _proof(code: str) -> Response:
    session = records()
    lot = session.get(Lot, as_typed(code))
    if lot is None or not _may_read(lot):
        raise Problem(404, "no_such_lot", _("Không có lô này."))
    settings: Settings = current_app.extensions["nongso.settings"]
    try:
        made = lotfile.make(session, lot, lot_id(settings.label_url, lot.code))
    except lotfile.NotYet as waiting:
        text = _("Bản ghi mới nhất của lô này đang chờ dấu niêm. Xin thử lại sau ít giây.")
        raise Problem(503, "not_signed_yet", text, behind=waiting.behind) from waiting
    answer = Response(lotfile.text_of(made), content_type="application/json")
    return _open(answer, "no-cache")


def _may_read(lot: Lot) -> bool:
    """Packed lots are for everybody, as their page is; others for who keeps the records."""
    if lot.kind == PACKS:
        return True
    asker = who()
    return asker is not None and asker.may(*READERS, scope="read") and owns(lot.cooperative)


def _board() -> dict[str, Any]:
    """What hangs on the notice board; nothing before the first checkpoint."""
    session = records()
    newest = reading.newest(session)
    if newest is None:
        return {}
    found = reading.parsed(newest)
    three = str(found).strip().split("\n")
    signed = {notes.Key.parse(one.vkey): one for one in reading.cosignatures(session, newest.size)}
    return {
        "checkpoint": found,
        "root": three[2],
        "three": " ".join(three),
        "signed_at": newest.signed_at,
        "key": reading.keys(session, LOG_KEY)[0],
        "witnesses": [
            (name, key, signed.get(key)) for key, name in reading.witnesses(session).items()
        ],
    }


@blueprint.get("/log/")
@public_without_cookies
def board() -> str:
    """The newest checkpoint, for whoever wants to see it."""
    known = _board()
    code = picture(known["three"]) if known else None
    return render_template("traceability/board.html", now=int(time.time()), qr=code, **known)


@blueprint.get("/log/notice.pdf")
@public_without_cookies
def notice() -> Response:
    """The newest checkpoint as a sheet for the notice board."""
    _newest()
    answer = Response(pdf(board_paper.sheet(**_board())), content_type="application/pdf")
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Content-Disposition"] = 'inline; filename="so-cong-khai.pdf"'
    return answer


@blueprint.get("/proof/verify")
@public_without_cookies
def verify() -> str:
    """Check a proof file in the browser; nothing is sent anywhere."""
    return render_template("traceability/verify.html")
