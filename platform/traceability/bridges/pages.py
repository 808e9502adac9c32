"""The clerk's page of files for outside systems, and the files."""

import datetime
import json
import time
from collections.abc import Sequence
from typing import Any

from flask import Response, abort, request
from sqlalchemy import select

from nongso.platform.accounts import allow, scoped
from nongso.platform.csvtable import csv_answer
from nongso.platform.errors import Problem
from nongso.platform.store import records
from nongso.platform.traceability.bridges import buyers, facts
from nongso.platform.traceability.bridges.columns import BRIDGES, Layout, layout
from nongso.platform.traceability.desk import blueprint, own_lot, page, products, settings, today
from nongso.platform.traceability.records import PACKS, Lot

Answer = str | tuple[str, int] | Response

MOST_LOTS = 500  # of one file, newest first
SHOWN_LOTS = 50


@blueprint.get("/bridges")
@allow("clerk")
def bridges() -> Answer:
    """Show which files there are, for whom, and what is known of their fields."""
    lots = _lots(SHOWN_LOTS)
    return page(
        "bridges.html",
        layouts=[layout(key) for key in BRIDGES],
        lots=lots,
        practice=not lots and bool(_lots(1, demonstration=True)),
        most=MOST_LOTS,
    )


@blueprint.get("/bridges/<any(portal, agriculture, market):what>.csv")
@allow("clerk")
def bridge_csv(what: str) -> Response:
    """One file as a table."""
    found = layout(what)
    rows = [found.row(one) for one in _facts(found)]
    return csv_answer(f"{found.file}-{today().isoformat()}.csv", found.head(), rows)


@blueprint.get("/bridges/<any(portal, agriculture, market):what>.json")
@allow("clerk")
def bridge_json(what: str) -> Response:
    """One file for a program."""
    found = layout(what)
    body = {
        "file": found.key,
        "title": found.title,
        "source": found.source,
        "made": _now().isoformat(timespec="seconds"),
        "headings": {column.key: column.heading for column in found.columns},
        "rows": [found.record(one) for one in _facts(found)],
    }
    return _file(body, f"{found.file}-{today().isoformat()}.json", "application/json")


@blueprint.get("/lots/<code>/epcis.jsonld")
@allow("clerk")
def lot_events(code: str) -> Response:
    """The events behind a lot, for a buyer's EPCIS system."""
    lot = own_lot(code)
    try:
        body = buyers.document(records(), lot, _now())
    except buyers.NotValid as error:
        raise Problem(500, "not_valid_epcis", str(error)) from error
    return _file(body, f"epcis-{lot.code}.jsonld", "application/ld+json")


def _now() -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(time.time()), datetime.UTC)


def _file(body: dict[str, Any], name: str, media: str) -> Response:
    text = json.dumps(body, ensure_ascii=False, indent=1)
    answer = Response(text, content_type=media)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _lots(most: int, *, demonstration: bool = False) -> Sequence[Lot]:
    """Packed lots of the asker's cooperative that stand, newest first."""
    wanted = scoped(select(Lot), Lot.cooperative).where(
        Lot.kind == PACKS, Lot.withdrawn_at.is_(None), Lot.demonstration.is_(demonstration)
    )
    return records().scalars(wanted.order_by(Lot.at.desc(), Lot.code).limit(most)).all()


def _facts(found: Layout) -> list[dict[str, Any]]:
    session, base = records(), settings().label_url
    if found.key == "market":
        return [facts.of_product(session, base, one, today()) for one in products()]
    if "lot" in request.args:
        lots: Sequence[Lot] = [own_lot(request.args["lot"])]
        if lots[0].kind != PACKS:
            abort(404)
    else:
        lots = _lots(MOST_LOTS)
    return [
        facts.of_lot(session, base, lot, lot.product) for lot in lots if lot.product is not None
    ]
