"""The clerk's pages for certificates and test reports: list, form, file, what runs out."""

import time
import uuid
from collections.abc import Set
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Response, abort, redirect, request, url_for
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from nongso.platform.accounts import allow, scoped, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records, transaction
from nongso.platform.traceability.desk import (
    READERS,
    blueprint,
    page,
    producers,
    products,
    settings,
    today,
)
from nongso.platform.traceability.records import PACKS, Lot
from nongso.platform.traceability.registry import certificate_files as certificates_files
from nongso.platform.traceability.registry import certificates, vouching
from nongso.platform.traceability.registry.certificate_files import BadPaper, Paper
from nongso.platform.traceability.registry.fields import certificate_fields
from nongso.platform.traceability.registry.forms import read_certificate
from nongso.platform.traceability.registry.plots import Plot
from nongso.platform.traceability.registry.records import (
    CERTIFICATE_KINDS,
    LOT,
    PLOT,
    PRODUCER,
    PRODUCT,
    Certificate,
)
from nongso.platform.traceability.registry.words import kind_of_certificate
from nongso.platform.wholefile import NotKept

Answer = str | tuple[str, int] | Response
LOTS_OFFERED = 50


@dataclass(frozen=True)
class Choice:
    """Something that a certificate can be for. ``value`` is ``product:<id>``."""

    value: str
    words: str
    group: str


def folder() -> Path:
    """Where scanned papers lie."""
    return settings().folder / "certificates"


@blueprint.get("/certificates")
@allow(*READERS)
def certificate_list() -> Answer:
    """All papers, those that run out first."""
    wanted = scoped(select(Certificate), Certificate.cooperative).order_by(
        Certificate.until.is_(None), Certificate.until, Certificate.number
    )
    found = records().scalars(wanted).all()
    own = somebody().cooperative
    late = certificates.expiring(records(), own, today()) if own else []
    return page(
        "certificate_list.html",
        certificates=found,
        as_noted={one.id for one in vouching.as_noted(records(), found)},
        late={one.certificate.id: one.days_left for one in late},
        kind_of_certificate=kind_of_certificate,
        names={choice.value: choice.words for choice in _choices()},
    )


@blueprint.get("/certificates/new")
@blueprint.get("/certificates/<key>")
@allow("clerk")
def certificate(key: str = "") -> Answer:
    """Show the form of a paper; a new one begins with the product or lot that was asked for."""
    if key:
        found = _own(key)
        return _certificate(Form(certificate_fields(found)), key, found.is_for, found)
    proposed = {"id": str(uuid.uuid4()), "kind": request.args.get("kind", "")}
    chosen = {request.args["for"]} if "for" in request.args else set()
    return _certificate(Form(proposed), "", chosen, None)


@blueprint.post("/certificates/new")
@blueprint.post("/certificates/<key>")
@allow("clerk")
def keep_certificate(key: str = "") -> Answer:
    """Keep a paper, new or changed."""
    there = _own(key) if key else None
    form = Form(request.form)
    id_ = key or form.id()
    values = read_certificate(form, today())
    chosen = set(request.form.getlist("for"))
    known = {choice.value for choice in _choices()}
    if there is not None:  # what it is for stays, also where it is too old to be offered
        known |= there.is_for
    if not chosen:
        form.wrong("for", _("Xin chọn giấy này cho sản phẩm, nơi sản xuất, thửa đất hay lô nào."))
    elif chosen - known:
        form.wrong("for", _("Xin chọn một dòng."))
    paper = _paper(form) if form.ok else None
    if form.ok:
        try:
            _keep(id_, values, chosen, paper)
        except IntegrityError:
            form.wrong("number", _("Đã có giấy loại này mang số này trong sổ."))
        else:
            return redirect(url_for("records.certificate_list"), 303)  # type: ignore[return-value]
    return _certificate(form, key, chosen, there)


def _paper(form: Form) -> Paper | None:
    """The file that came along, kept; ``None`` where there is none or it is refused."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        return None
    with closing(sent):
        data = sent.stream.read(certificates_files.MOST_BYTES + 1)
    try:
        return certificates_files.keep(folder(), data)
    except NotKept:
        form.wrong("file", _("Máy chủ không giữ được tệp này. Xin báo người phụ trách máy."))
    except BadPaper as error:
        form.wrong("file", refusal(error))
    return None


def refusal(error: BadPaper) -> str:
    """Say why a file is not kept."""
    return {
        "large": _("Tệp lớn quá, nhiều nhất 5 MB. Xin chụp lại hoặc quét nhỏ hơn."),
        "huge": _("Ảnh to quá. Xin chụp lại với cỡ nhỏ hơn."),
        "torn": _("Tệp bị hỏng hoặc chưa tải lên hết. Xin gửi lại."),
        "active": _("Tệp PDF này có phần tự chạy nên không nhận. Xin in ra rồi quét lại."),
        "unknown": _("Chỉ nhận tệp PDF, ảnh JPEG hoặc PNG."),
    }[error.code]


def _keep(id_: str, values: dict[str, Any], chosen: set[str], paper: Paper | None) -> None:
    own = somebody().cooperative
    with transaction() as session:
        kept = session.get(Certificate, id_)
        if kept is None:
            kept = Certificate(id=id_, cooperative=own, file="", file_type="")
            session.add(kept)
        if kept.cooperative != own:
            abort(404)
        for name, value in values.items():
            setattr(kept, name, value)
        if paper is not None:
            kept.file, kept.file_type = paper.name, paper.type
        kept.let_be_for(chosen)
        vouching.note(session, kept, somebody().id, int(time.time()))


@blueprint.post("/certificates/<key>/remove")
@allow("clerk")
def remove_certificate(key: str) -> Answer:
    """Take a paper out of the registry; its file is kept, because an old label may speak of it."""
    _own(key)
    with transaction() as session:
        kept = session.get_one(Certificate, key)
        vouching.note_gone(session, kept, somebody().id, int(time.time()))
        session.delete(kept)
    return redirect(url_for("records.certificate_list"), 303)  # type: ignore[return-value]


@blueprint.get("/certificates/<key>/file")
@allow(*READERS)
def certificate_file(key: str) -> Answer:
    """The scanned paper, as a download."""
    found = records().scalar(
        scoped(select(Certificate), Certificate.cooperative).where(Certificate.id == key)
    )
    if found is None:
        abort(404)
    return file_answer(found)


def file_answer(found: Certificate) -> Response:
    """The scanned paper of a certificate; 404 where there is none."""
    if not found.file:
        abort(404)
    file = certificates_files.path_of(folder(), found.file, found.file_type)
    if not file.is_file():
        abort(404)
    answer = Response(file.read_bytes(), mimetype=certificates_files.TYPES[found.file_type])
    name = f"giay-{found.kind}-{found.since}.{found.file_type}"
    answer.headers["Content-Disposition"] = f"attachment; filename={name}"
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return answer


def _own(key: str) -> Certificate:
    found = records().get(Certificate, key)
    if found is None or found.cooperative != somebody().cooperative:
        abort(404)
    return found


def _choices() -> list[Choice]:
    """What a certificate can be for: products, producers, plots, and the newest packed lots."""
    plots = records().scalars(scoped(select(Plot), Plot.cooperative).order_by(Plot.code))
    lots = records().scalars(
        scoped(select(Lot), Lot.cooperative)
        .where(Lot.kind == PACKS, Lot.withdrawn_at.is_(None))
        .order_by(Lot.at.desc(), Lot.code)
        .limit(LOTS_OFFERED)
    )
    return [
        *(Choice(f"{PRODUCT}:{one.id}", one.name, _("Sản phẩm")) for one in products()),
        *(
            Choice(f"{PRODUCER}:{one.id}", f"{one.code} {one.name}", _("Nơi sản xuất"))
            for one in producers()
        ),
        *(Choice(f"{PLOT}:{one.id}", f"{one.code} {one.name}", _("Thửa đất")) for one in plots),
        *(Choice(f"{LOT}:{one.code}", f"{one.code} {one.name}", _("Lô")) for one in lots),
    ]


def _certificate(form: Form, key: str, chosen: Set[str], there: Certificate | None) -> Answer:
    kinds = [(kind, kind_of_certificate(kind)) for kind in CERTIFICATE_KINDS]
    groups: dict[str, list[Choice]] = {}
    for choice in _choices():
        groups.setdefault(choice.group, []).append(choice)
    return page(
        "certificate.html",
        form,
        key=key,
        kinds=kinds,
        groups=groups,
        chosen=chosen,
        there=there,
    )
