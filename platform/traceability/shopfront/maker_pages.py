"""The clerk's page for a producer's picture: shown only as agreed, gone when the consent is."""

import time

from flask import Response, abort, redirect, request, url_for

from nongso.platform import photos
from nongso.platform.accounts import allow, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records, transaction
from nongso.platform.traceability.desk import blueprint, new_form, page, settings, today
from nongso.platform.traceability.records import Producer
from nongso.platform.traceability.registry.photos import read_photo
from nongso.platform.traceability.shopfront import showing
from nongso.platform.traceability.shopfront.records import HOWS, SAID, SIGNED, ProducerPhoto

Answer = str | tuple[str, int] | Response
LONGEST_SIDE = 640  # more than a page ever shows of a face


def hows() -> list[tuple[str, str]]:
    """How somebody agreed, in words."""
    words = {SIGNED: _("Ký giấy đồng ý"), SAID: _("Nói trước mặt nhân viên")}
    return [(how, words[how]) for how in HOWS]


@blueprint.get("/producers/<key>/photo")
@allow("clerk")
def maker(key: str) -> Answer:
    """The picture that is shown, who agreed when, and the form for another one."""
    return _maker(_own(key), Form(new_form()))


@blueprint.post("/producers/<key>/photo")
@allow("clerk")
def keep_maker(key: str) -> Answer:
    """Keep a picture with the consent to it; the one before is deleted."""
    who, form = _own(key), Form(request.form)
    id_ = form.id()
    how = form.choice("how", HOWS)
    agreed_on = form.day("day", latest=today())
    if form["agreed"] != "1":
        form.wrong("agreed", _("Người trong ảnh chưa đồng ý thì không đăng ảnh."))
    name = read_photo(form, settings().folder / showing.MAKERS, LONGEST_SIDE) if form.ok else ""
    if form.ok and not name:
        form.wrong("photo", _("Xin chọn một ảnh."))
    if not form.ok:
        return _maker(who, form)
    now = int(time.time())
    with transaction() as session:
        if session.get(ProducerPhoto, id_) is None:
            gone = showing.withdraw(session, who.id, now)
            session.add(
                ProducerPhoto(
                    id=id_,
                    producer=who.id,
                    photo=name,
                    agreed_on=agreed_on.isoformat(),
                    how=how,
                    noted_by=somebody().id,
                    noted_at=now,
                    withdrawn_at=None,
                )
            )
        else:
            gone = []
    showing.delete(settings().folder, [one for one in gone if one != name])
    return redirect(url_for("records.maker", key=who.id), 303)  # type: ignore[return-value]


@blueprint.post("/producers/<key>/photo/withdraw")
@allow("clerk")
def withdraw_maker(key: str) -> Answer:
    """The consent is taken back: the picture is deleted, and no page shows it any more."""
    who = _own(key)
    with transaction() as session:
        gone = showing.withdraw(session, who.id, int(time.time()))
    showing.delete(settings().folder, gone)
    return redirect(url_for("records.maker", key=who.id), 303)  # type: ignore[return-value]


def _own(key: str) -> Producer:
    found = records().get(Producer, key)
    if found is None or found.cooperative != somebody().cooperative:
        abort(404)
    return found


def _maker(who: Producer, form: Form) -> Answer:
    session = records()
    return page(
        "maker.html",
        form,
        who_makes=who,
        shown=showing.photo_of(session, who.id),
        consents=showing.consents_of(session, who.id),
        hows=hows(),
        words=dict(hows()),
        picture=url_for("records.maker_picture", key=who.id),
    )


@blueprint.get("/producers/<key>/photo.jpg")
@allow("clerk")
def maker_picture(key: str) -> Answer:
    """The picture that is shown now."""
    shown = showing.photo_of(records(), _own(key).id)
    file = photos.path_of(settings().folder / showing.MAKERS, shown.photo) if shown else None
    if file is None or not file.is_file():
        abort(404)
    answer = Response(file.read_bytes(), mimetype="image/jpeg")
    answer.headers["Cache-Control"] = "no-store"
    return answer
