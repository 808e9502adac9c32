"""The clerk's page for the cooperative's logo: bring it, see it on labels, take it away."""

from contextlib import closing

from flask import Response, redirect, request, url_for

from nongso.labels import layout as layouts
from nongso.labels import logos
from nongso.labels.errors import BadLogo, LabelError
from nongso.platform.accounts import allow, somebody
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.store import records
from nongso.platform.traceability.desk import blueprint, new_form, page
from nongso.platform.traceability.labelling import logo as labelling_logo
from nongso.platform.traceability.labelling.desk import Shown, shown
from nongso.platform.traceability.moving.desk import done

Answer = str | tuple[str, int] | Response
SHOWN_ON = ("a4-2x7-logo", "a4-2x7-logo-in")


@blueprint.get("/logo")
@allow("clerk")
def logo() -> Answer:
    """The logo as labels carry it, and the form for another one."""
    return _logo(Form(new_form()))


@blueprint.post("/logo")
@allow("clerk")
def keep_logo() -> Answer:
    """Keep the logo that was sent, with nothing but the picture in it."""
    form = Form(request.form)
    if done(form, labelling_logo.keep, _sent(form)) is None:
        return _logo(form)
    return redirect(url_for("records.logo", recorded=1), 303)  # type: ignore[return-value]


@blueprint.post("/logo/remove")
@allow("clerk")
def remove_logo() -> Answer:
    """Print it no more."""
    done(Form({**new_form(), **request.form}), labelling_logo.take_away)
    return redirect(url_for("records.logo"), 303)  # type: ignore[return-value]


def _sent(form: Form) -> bytes:
    sent = request.files.get("logo")
    if sent is None or not sent.filename:
        form.wrong("logo", _("Xin chọn tệp logo."))
        return b""
    with closing(sent):
        body = sent.stream.read(logos.MOST_BYTES + 1)
    try:
        return logos.clean(body)
    except BadLogo as e:
        form.wrong("logo", said(e))
    return b""


def said(error: BadLogo) -> str:
    """Why a picture cannot be printed, and what to do."""
    match error.reason, error.what:
        case "large", _what:
            return _("Tệp to quá. Xin dùng ảnh nhỏ hơn 8 MB, hoặc bản vẽ SVG nhỏ hơn 256 kB.")
        case "empty", _what:
            return _("Hình trắng cả, in ra không thấy gì.")
        case "no_size", _what:
            return _("Bản vẽ không ghi cỡ. Xin lưu lại cả trang vẽ.")
        case "narrow", _what:
            return _("Hình dài hẹp quá. Xin dùng hình có cạnh dài không quá 8 lần cạnh ngắn.")
        case "pixels", _what:
            return _("Ảnh to quá. Xin thu nhỏ ảnh: mỗi cạnh không quá 3000 điểm ảnh.")
        case "intricate", _what:
            return _("Bản vẽ nhiều nét quá. Xin bớt nét, hoặc dùng ảnh PNG.")
        case "holds", "text":
            return _(
                "Bản vẽ có chữ, cần phông chữ mới in đúng. Xin chuyển chữ thành nét vẽ "
                "rồi lưu lại."
            )
        case "holds", what:
            return _(
                "Bản vẽ có phần không in lên tem được: %(what)s. Xin lưu lại chỉ với hình nét, "
                "hoặc dùng ảnh PNG.",
                what=what,
            )
        case _:
            return _("Tệp này không đọc được. Xin dùng ảnh PNG, JPEG hoặc bản vẽ SVG.")


def _logo(form: Form) -> Answer:
    there = labelling_logo.of(records(), somebody().cooperative) is not None
    labels, trouble = list[Shown](), ""
    try:
        labels = _labels() if there else []
    except BadLogo as e:
        trouble = said(e)
    return page("logo.html", form, there=there, labels=labels, unfit=trouble)


def _labels() -> list[Shown]:
    """The logo on labels, beside the code and in it, where the address leaves room for that.

    Raises ``BadLogo`` where it cannot be printed at all.
    """
    found = []
    for name in SHOWN_ON:
        try:
            found.append(shown(layouts.find(name), among=f"{name}-"))
        except BadLogo:
            raise
        except LabelError:
            continue
    return found
