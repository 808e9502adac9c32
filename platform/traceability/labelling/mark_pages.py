"""The clerk's pages for collective marks: whose they are, and who may print them until when."""

from flask import Response, abort, redirect, request, url_for

from nongso.platform.accounts import allow, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records
from nongso.platform.traceability.desk import blueprint, new_form, page, producers, today
from nongso.platform.traceability.labelling import marks as labelling_marks
from nongso.platform.traceability.labelling.records import CollectiveMark
from nongso.platform.traceability.moving.desk import done
from nongso.platform.traceability.registry.forms import FIRST_PAPER_DAY

Answer = str | tuple[str, int] | Response


@blueprint.get("/marks")
@allow("clerk")
def marks() -> Answer:
    """The marks that are written down, and the form for one more."""
    return _marks(Form(new_form()))


def _marks(form: Form) -> Answer:
    found = labelling_marks.marks(records(), somebody().cooperative)
    return page("marks.html", form, marks=found)


@blueprint.post("/marks")
@allow("clerk")
def write_mark() -> Answer:
    """Write a mark down."""
    form = Form(request.form)
    named = form.text("name", 60), form.text("number", 40), form.text("owner")
    made = done(form, labelling_marks.write_down, *named)
    if made is None:
        return _marks(form)
    return redirect(url_for("records.mark", key=made.id), 303)  # type: ignore[return-value]


@blueprint.get("/marks/<key>")
@allow("clerk")
def mark(key: str) -> Answer:
    """Who may use a mark, and the form for one more."""
    return _mark(own_mark(key), Form(new_form()))


def _mark(found: CollectiveMark, form: Form) -> Answer:
    return page(
        "mark.html",
        form,
        mark=found,
        rights=labelling_marks.rights(records(), found.id),
        producers=[(one.id, one.name) for one in producers()],
    )


@blueprint.post("/marks/<key>")
@allow("clerk")
def entitle(key: str) -> Answer:
    """Let a producer use a mark."""
    found, form = own_mark(key), Form(request.form)
    producer = form.choice("producer", {one.id for one in producers()})
    paper = form.text("paper", 80)
    since = form.day("since", earliest=FIRST_PAPER_DAY)
    until = form.day("until", earliest=FIRST_PAPER_DAY) if form["until"].strip() else None
    if until is not None and until < since:
        form.wrong("until", _("Ngày cuối phải sau ngày đầu."))
    wish = found.id, producer, paper, since, until
    if done(form, labelling_marks.entitle, *wish) is None:
        return _mark(found, form)
    return redirect(url_for("records.mark", key=key), 303)  # type: ignore[return-value]


@blueprint.post("/marks/<key>/end")
@allow("clerk")
def end_right(key: str) -> Answer:
    """Let a right end with today."""
    found, form = own_mark(key), Form({**new_form(), **request.form})
    right = form.choice("right", {one.id for one in labelling_marks.rights(records(), found.id)})
    if done(form, labelling_marks.end, right, today()) is None:
        return _mark(found, form)
    return redirect(url_for("records.mark", key=key), 303)  # type: ignore[return-value]


def own_mark(key: str) -> CollectiveMark:
    """A mark of the asker's cooperative, else 404."""
    found = records().get(CollectiveMark, key)
    if found is None or found.cooperative != somebody().cooperative:
        abort(404)
    return found
