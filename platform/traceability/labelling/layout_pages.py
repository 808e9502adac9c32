"""The clerk's pages for layouts of labels: begin with one that is there, look at it, keep it.

The picture comes with the page, so the button shows it without script; with script it follows
what is typed. A layout goes out and comes in as the file that ``nongso labels sheet`` reads.
"""

import uuid
from contextlib import closing

from flask import Response, abort, redirect, request, url_for

from nongso.labels import layout as layouts
from nongso.labels.errors import BadLayout, LabelError, UnknownLayout
from nongso.labels.layout import Layout
from nongso.labels.operations import print_sheet
from nongso.platform.accounts import allow, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records
from nongso.platform.traceability.desk import blueprint, new_form, page
from nongso.platform.traceability.labelling import layouts as labelling_layouts
from nongso.platform.traceability.labelling.desk import offered, sample, shown
from nongso.platform.traceability.labelling.layout_form import (
    arrange,
    fields_of,
    read_layout,
    refuse,
    said,
)
from nongso.platform.traceability.labelling.layouts import DEFAULT_LAYOUT, MOST_FILE_BYTES
from nongso.platform.traceability.labelling.records import LabelLayout
from nongso.platform.traceability.moving.desk import done

Answer = str | tuple[str, int] | Response


@blueprint.get("/layouts")
@allow("clerk")
def label_layouts() -> Answer:
    """The cooperative's own layouts, and what to begin a new one with."""
    return _list(Form(new_form(begin=DEFAULT_LAYOUT)))


def _list(form: Form) -> Answer:
    there = offered()
    return page(
        "layouts.html",
        form,
        own=[one for one in there if one.file is not None],
        layouts=[(one.key, one) for one in there],
    )


@blueprint.get("/layouts/new")
@allow("clerk")
def new_layout() -> Answer:
    """The form of a new layout, filled from one that is there."""
    key = request.args.get("begin", DEFAULT_LAYOUT)
    return _layout(Form(new_form(**fields_of(_offered(key)))), "")


@blueprint.get("/layouts/<key>")
@allow("clerk")
def label_layout(key: str) -> Answer:
    """The form of an own layout."""
    there = own_layout(key)
    found = layouts.read(key, there.file)
    return _layout(Form({**new_form(), **fields_of(found), "title": there.name}), key)


@blueprint.post("/layouts/new")
@blueprint.post("/layouts/<key>")
@allow("clerk")
def keep_layout(key: str = "") -> Answer:
    """Show what was typed, put it in order by the size of the label, or keep it."""
    if key:
        own_layout(key)
    form = Form(request.form)
    if form["do"] == "arrange":
        arrange(form)
        return _layout(form, key)
    id_ = key or form.id()
    made = read_layout(form, id_)
    if form["do"] != "keep" or made is None or not _reads_back(form, made):
        return _layout(form, key)
    form.values["id"] = id_
    if done(form, labelling_layouts.keep, made) is None:
        return _layout(form, key)
    return redirect(url_for("records.label_layouts"), 303)  # type: ignore[return-value]


def _reads_back(form: Form, layout: Layout) -> bool:
    """Whether a full page of labels is read back from this layout."""
    try:
        print_sheet([sample(layout, number)[0] for number in range(1, layout.cells + 1)], layout)
    except LabelError as e:
        refuse(form, e)
    return form.ok


@blueprint.post("/layouts/<key>/remove")
@allow("clerk")
def remove_layout(key: str) -> Answer:
    """Offer a layout no more."""
    own_layout(key)
    form = Form({**request.form, "id": key})
    done(form, labelling_layouts.take_away)
    return redirect(url_for("records.label_layouts"), 303)  # type: ignore[return-value]


@blueprint.get("/layouts/<key>.toml")
@allow("clerk")
def layout_file(key: str) -> Answer:
    """The file of an own layout."""
    there = own_layout(key)
    answer = Response(there.file, content_type="application/toml; charset=utf-8")
    answer.headers["Content-Disposition"] = f"attachment; filename=mau-tem-{key[:8]}.toml"
    return answer


@blueprint.post("/layouts/read")
@allow("clerk")
def read_layout_file() -> Answer:
    """The form of a new layout, filled from a file; kept once the clerk has looked at it."""
    form = Form({**new_form(), **request.form})
    found = _sent(form)
    if found is None:
        return _list(form)
    title = " ".join(found.title.split())[:60]
    return _layout(Form({**new_form(), **fields_of(found), "title": title}), "")


def _sent(form: Form) -> Layout | None:
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        form.wrong("file", _("Xin chọn tệp mẫu tem."))
        return None
    with closing(sent):
        body = sent.stream.read(MOST_FILE_BYTES + 1)
    try:
        if len(body) > MOST_FILE_BYTES:
            raise BadLayout("the file is too long")
        found = layouts.read("file", body.decode("utf-8"))
    except (BadLayout, UnicodeDecodeError) as e:
        why = said(e) if isinstance(e, BadLayout) and e.reason else ""
        form.wrong("file", _("Tệp này không phải là mẫu tem dùng được. %(why)s", why=why).strip())
        return None
    if not found.is_plain:
        known = {block.name for block in found.blocks} - {"text", "address"}
        form.wrong(
            "file",
            _(
                "Mẫu này có ô mà sổ không điền: %(blocks)s. Chỉ dùng được mẫu có ô chữ (text) "
                "và ô địa chỉ (address).",
                blocks=", ".join(sorted(known)) or "columns",
            ),
        )
        return None
    return found


def own_layout(key: str) -> LabelLayout:
    """A layout of the asker's cooperative, else 404."""
    found = records().get(LabelLayout, key)
    if found is None or found.cooperative != somebody().cooperative:
        abort(404)
    return found


def _offered(key: str) -> Layout:
    try:
        return labelling_layouts.find(records(), somebody().cooperative, key).layout
    except UnknownLayout:
        abort(404)


def _layout(form: Form, key: str) -> Answer:
    """The form with its picture; what cannot be drawn is said instead."""
    looked_at = Form({**form.values, "title": form["title"] or "-"})
    picture = None
    try:
        made = read_layout(looked_at, key or str(uuid.uuid4()))
        picture = None if made is None else shown(made)
    except LabelError as e:
        refuse(looked_at, e)
    for name, sentence in looked_at.errors.items() if form["do"] else ():
        form.wrong(name, sentence)
    return page(
        "layout.html",
        form,
        key=key,
        picture=picture,
        troubles=list(looked_at.errors.values()),
        kinds=(
            ("sheet", _("tờ giấy (A4, A5 …)")),
            ("gap", _("cuộn, có khe giữa hai tem")),
            ("mark", _("cuộn, có vạch đen sau giấy")),
            ("continuous", _("cuộn liền")),
        ),
        levels=(
            ("L", _("ít (L): mã thưa nhất, dễ quét khi tem nhỏ")),
            ("M", _("vừa (M): nên dùng")),
            ("Q", _("nhiều (Q): tem hay bị xước")),
            ("H", _("nhiều nhất (H)")),
        ),
    )
