"""The clerk's pages for producers: the cooperative, groups, households."""

import datetime
import time
import uuid
from typing import Any

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from nongso.platform.accounts import allow, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records, transaction
from nongso.platform.traceability import sentences
from nongso.platform.traceability.desk import READERS, blueprint, page, today
from nongso.platform.traceability.desk import producers as all_producers
from nongso.platform.traceability.records import PRODUCER_KINDS, Producer
from nongso.platform.traceability.registry import history as registry_history
from nongso.platform.traceability.registry import units as administrative_units
from nongso.platform.traceability.registry import vouching
from nongso.platform.traceability.registry.fields import producer_fields
from nongso.platform.traceability.registry.forms import read_changed_on, read_producer

Answer = str | tuple[str, int] | Response


@blueprint.get("/producers")
@allow(*READERS)
def producers() -> Answer:
    """List the producers."""
    return page(
        "producers.html", producers=all_producers(), kind_of_producer=sentences.kind_of_producer
    )


@blueprint.get("/producers/new")
@blueprint.get("/producers/<key>")
@allow("clerk")
def producer(key: str = "") -> Answer:
    """Show the form of a producer; a new one begins where the last one lives."""
    found = _own_producer(key) if key else None
    if found is not None:
        return _producer(Form(producer_fields(found)), key)
    last = records().scalar(
        select(Producer)
        .where(Producer.cooperative == somebody().cooperative)
        .order_by(Producer.code.desc())
        .limit(1)
    )
    proposed = {"id": str(uuid.uuid4()), "kind": "household"}
    if last is not None:
        proposed |= {"commune": last.commune, "province": last.province, "village": last.village}
    return _producer(Form(proposed), "")


@blueprint.post("/producers/new")
@blueprint.post("/producers/<key>")
@allow("clerk")
def keep_producer(key: str = "") -> Answer:
    """Keep a producer, new or changed.

    Where a name or an address changes, the clerk says whether it was wrong before or has become
    another one; then the former one is kept with its last day.
    """
    there = _own_producer(key) if key else None
    form = Form(request.form)
    id_ = key or form.id()
    values = read_producer(form)
    changed_on = _changed_on(form, there, values)
    if form.ok:
        try:
            _keep(id_, values, changed_on)
        except IntegrityError:
            form.wrong("code", _("Mã này đã có người dùng. Xin chọn mã khác."))
        else:
            return redirect(url_for("records.producers"), 303)  # type: ignore[return-value]
    return _producer(form, key)


def _changed_on(
    form: Form, there: Producer | None, values: dict[str, Any]
) -> datetime.date | None:
    """From which day the new name or address holds; ``None`` where the old one was a mistake."""
    dated = registry_history.DATED
    if there is None or all(getattr(there, name) == values[name] for name in dated):
        return None
    return read_changed_on(form, today())


def _keep(key: str, values: dict[str, Any], changed_on: datetime.date | None) -> None:
    """Write a producer of the asker's own cooperative; 404 for another one's."""
    asker = somebody()
    with transaction() as session:
        kept = session.get(Producer, key)
        if kept is None:
            kept = Producer(id=key, cooperative=asker.cooperative)
            session.add(kept)
        if kept.cooperative != asker.cooperative:
            abort(404)
        if changed_on is not None:
            registry_history.remember(session, kept, changed_on, asker.id, int(time.time()))
        for name, value in values.items():
            setattr(kept, name, value)
        vouching.note(session, kept, asker.id, int(time.time()))


def _own_producer(key: str) -> Producer:
    found = records().get(Producer, key)
    if found is None or found.cooperative != somebody().cooperative:
        abort(404)
    return found


def _producer(form: Form, key: str) -> Answer:
    kinds = [(kind, sentences.kind_of_producer(kind)) for kind in PRODUCER_KINDS]
    past = registry_history.past_of(records(), registry_history.PRODUCER, key) if key else []
    form.values.setdefault("changed_on", today().isoformat())
    return page(
        "producer.html",
        form,
        key=key,
        kinds=kinds,
        past=past,
        now_called=administrative_units.now_called(form["commune"], form["province"], today()),
        kind_of_producer=sentences.kind_of_producer,
    )
