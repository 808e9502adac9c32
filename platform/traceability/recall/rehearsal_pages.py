"""The pages of the yearly rehearsal: begin, answer step by step, the report."""

import time
import uuid
from typing import Any

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import select

from nongso.platform.accounts import allow, scoped
from nongso.platform.forms import Form
from nongso.platform.store import records, transaction
from nongso.platform.traceability.desk import READERS, blueprint, desk, new_form, refuse
from nongso.platform.traceability.errors import Refused
from nongso.platform.traceability.moving.desk import MOST_PACKS, done, page
from nongso.platform.traceability.recall import rehearsal as recall_rehearsal
from nongso.platform.traceability.recall.records import Rehearsal
from nongso.platform.traceability.recall.rehearsal import NOT_REACHED
from nongso.platform.traceability.records import Lot

Answer = str | tuple[str, int] | Response


@blueprint.get("/rehearsals/new")
@allow("clerk")
def rehearsal_new() -> Answer:
    """Say how a rehearsal goes, before the clock runs."""
    return page("rehearsal_new.html", Form(new_form()))


@blueprint.post("/rehearsals/new")
@allow("clerk")
def start_rehearsal() -> Answer:
    """Draw a lot and start the clock."""
    form = Form(request.form)
    made = done(form, recall_rehearsal.start)
    if made is None:
        return page("rehearsal_new.html", form)
    return redirect(url_for("records.rehearsal", key=made.id), 303)  # type: ignore[return-value]


def _own(key: uuid.UUID) -> Rehearsal:
    found = records().scalar(
        scoped(select(Rehearsal), Rehearsal.cooperative).where(Rehearsal.id == str(key))
    )
    if found is None:
        abort(404)
    return found


@blueprint.get("/rehearsals/<uuid:key>")
@allow(*READERS)
def rehearsal(key: uuid.UUID) -> Answer:
    """The questions while it runs, the report when it has ended."""
    made = _own(key)
    said = made.answers
    typed: dict[str, str] = {
        name: str(said[name]) for name in ("sources", "in_store") if name in said
    }
    for holder, found in said.get("holders", {}).items():
        typed[f"h-{holder}"] = "" if found == NOT_REACHED else str(found)
        typed[f"x-{holder}"] = "1" if found == NOT_REACHED else ""
    return _rehearsal(made, Form(new_form(**typed)))


def _rehearsal(made: Rehearsal, form: Form) -> Answer:
    return page(
        "rehearsal.html",
        form,
        made=made,
        lot=records().get_one(Lot, made.lot),
        report=recall_rehearsal.report(made, int(time.time())),
    )


@blueprint.post("/rehearsals/<uuid:key>")
@allow("clerk")
def answer_rehearsal(key: uuid.UUID) -> Answer:
    """Keep the answers; the last button stops the clock."""
    made, form = _own(key), Form(request.form)
    finish = form["do"] == "finish"
    answers: dict[str, Any] = {"holders": {}}
    for name in ("sources", "in_store"):
        if form[name].strip() or finish:
            answers[name] = form.count(name, 0, MOST_PACKS)
    for one in made.task["holders"]:
        name = f"h-{one['id']}"
        if form[f"x-{one['id']}"]:
            answers["holders"][one["id"]] = NOT_REACHED
        elif form[name].strip() or finish:
            answers["holders"][one["id"]] = form.count(name, 0, MOST_PACKS)
    if form.ok:
        try:
            with transaction() as session:
                recall_rehearsal.answer(desk(session), made, answers, finish)
            return redirect(url_for("records.rehearsal", key=made.id), 303)  # type: ignore[return-value]
        except Refused as e:
            refuse(form, e)
    return _rehearsal(made, form)
