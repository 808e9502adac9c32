"""A layout of labels as a form: lengths in mm, each trouble beside the field that it is about."""

import math

from nongso.labels import drafting, layoutfile
from nongso.labels import layout as layouts
from nongso.labels.errors import (
    BadLayout,
    BadLogo,
    BarsTooNarrow,
    LabelError,
    LetterMissing,
    ModuleTooSmall,
    TextDoesNotFit,
)
from nongso.labels.layout import MEDIA, MM_PER_INCH, SHEET, Block, Box, Column, Layout
from nongso.platform.forms import Form
from nongso.platform.languages import _, number

KINDS = (SHEET, *MEDIA)
LEVELS = ("L", "M", "Q", "H")
MOST_MM = 1000.0
MOST_PT = 100.0
_ADDRESS = Block("address", Box(0, 0, 0, 0), 6.5, 4.5, 1.15, False, True, (Column("address"),))
# Where the troubles of a place on the layout are told.
_FIELDS = {
    "qr": "qr_size",
    "text": "text_width",
    "address": "address_width",
    "bars": "bars_width",
    "logo": "logo_width",
    "scratch": "scratch_width",
    "label": "label_width",
    "page": "page_width",
    "grid": "columns",
    "gap": "gap_x",
}


def _mm(length: float) -> str:
    """A length as somebody would type it; two decimals can be read in one way only."""
    return f"{length:.2f}".rstrip("0").rstrip(".").replace(".", ",")


def _box_fields(name: str, box: Box) -> dict[str, str]:
    return {
        f"{name}_x": _mm(box.x_mm),
        f"{name}_y": _mm(box.y_mm),
        f"{name}_width": _mm(box.width_mm),
        f"{name}_height": _mm(box.height_mm),
    }


def fields_of(layout: Layout) -> dict[str, str]:
    """The fields of a form that shows this layout."""
    found = {
        "kind": layout.kind,
        "level": layout.level,
        "dpi": str(layout.dpi),
        "page_width": _mm(layout.page_width_mm),
        "page_height": _mm(layout.page_height_mm),
        "columns": str(layout.columns),
        "rows": str(layout.rows),
        "label_width": _mm(layout.first.width_mm),
        "label_height": _mm(layout.first.height_mm),
        "margin_x": _mm(layout.first.x_mm),
        "margin_y": _mm(layout.first.y_mm),
        "gap_x": _mm(layout.gap_x_mm),
        "gap_y": _mm(layout.gap_y_mm),
        "feed": _mm(layout.feed_mm),
        "qr_x": _mm(layout.qr.x_mm),
        "qr_y": _mm(layout.qr.y_mm),
        "qr_size": _mm(layout.qr.width_mm),
    }
    for block in layout.blocks:
        found |= _box_fields(block.name, block.box)
        found |= {
            block.name: "1",
            f"{block.name}_largest": _mm(block.largest_pt),
            f"{block.name}_smallest": _mm(block.smallest_pt),
            f"{block.name}_leading": _mm(block.leading),
            f"{block.name}_bold": "1" if block.first_line_bold else "",
        }
    if layout.bars is not None:
        found |= {"bars": "1", **_box_fields("bars", layout.bars)}
    if layout.logo is not None:
        found |= {"logo": "1", **_box_fields("logo", layout.logo)}
    if layout.scratch is not None:
        found |= {"scratch": "1", **_box_fields("scratch", layout.scratch)}
    return found


def read_layout(form: Form, key: str) -> Layout | None:
    """Read a layout; ``None`` where something is wrong, which is then said beside its field."""
    made = Layout(
        name=key,
        title=form.text("title", 60),
        level=form.choice("level", LEVELS),
        page_width_mm=form.amount("page_width", MOST_MM) or 0.0,
        page_height_mm=form.amount("page_height", MOST_MM) or 0.0,
        columns=form.count("columns", 1, 50),
        rows=form.count("rows", 1, 100),
        first=Box(
            form.amount("margin_x", MOST_MM, from_zero=True) or 0.0,
            form.amount("margin_y", MOST_MM, from_zero=True) or 0.0,
            form.amount("label_width", MOST_MM) or 0.0,
            form.amount("label_height", MOST_MM) or 0.0,
        ),
        gap_x_mm=form.amount("gap_x", MOST_MM, from_zero=True) or 0.0,
        gap_y_mm=form.amount("gap_y", MOST_MM, from_zero=True) or 0.0,
        dpi=form.count("dpi", 100, 2400),
        qr=_qr(form),
        blocks=tuple(_blocks(form)),
        kind=(kind := form.choice("kind", KINDS)),
        feed_mm=0.0 if kind == SHEET else form.amount("feed", 100, from_zero=True) or 0.0,
        bars=_box(form, "bars") if form["bars"] else None,
        logo=_box(form, "logo") if form["logo"] else None,
        scratch=_box(form, "scratch") if form["scratch"] else None,
    )
    if not form.ok:
        return None
    try:
        return layouts.read(key, layoutfile.write(made))
    except BadLayout as e:
        refuse(form, e)
        return None


def _qr(form: Form) -> Box:
    size = form.amount("qr_size", MOST_MM) or 0.0
    return Box(_from_zero(form, "qr_x"), _from_zero(form, "qr_y"), size, size)


def _from_zero(form: Form, name: str) -> float:
    return form.amount(name, MOST_MM, from_zero=True) or 0.0


def _box(form: Form, name: str) -> Box:
    return Box(
        _from_zero(form, f"{name}_x"),
        _from_zero(form, f"{name}_y"),
        form.amount(f"{name}_width", MOST_MM) or 0.0,
        form.amount(f"{name}_height", MOST_MM) or 0.0,
    )


def _blocks(form: Form) -> list[Block]:
    names = ("text", "address") if form["address"] else ("text",)
    return [
        Block(
            name=name,
            box=_box(form, name),
            largest_pt=form.amount(f"{name}_largest", MOST_PT) or 0.0,
            smallest_pt=form.amount(f"{name}_smallest", MOST_PT) or 0.0,
            leading=form.amount(f"{name}_leading", 3) or 0.0,
            first_line_bold=form[f"{name}_bold"] == "1",
            optional=name == "address",  # an address too long for its place is in the code too
            columns=(Column(name),),
        )
        for name in names
    ]


def arrange(form: Form) -> None:
    """Put code and text where they usually stand on labels of this size."""
    sizes = drafting.Sizes(
        page=(form.amount("page_width", MOST_MM) or 0.0, form.amount("page_height", MOST_MM) or 0),
        grid=(form.count("columns", 1, 50), form.count("rows", 1, 100)),
        label=(
            form.amount("label_width", MOST_MM) or 0.0,
            form.amount("label_height", MOST_MM) or 0.0,
        ),
        gap=(_from_zero(form, "gap_x"), _from_zero(form, "gap_y")),
        kind=(kind := form.choice("kind", KINDS)),
        feed_mm=0.0 if kind == SHEET else form.amount("feed", 100, from_zero=True) or 0.0,
        dpi=form.count("dpi", 100, 2400),
    )
    if not form.ok:
        return
    try:
        made, _toml = drafting.draft("draft", sizes)
    except BadLayout as e:
        refuse(form, e)
        return
    kept = {name: form[name] for name in ("id", "title", "level")}
    gone = dict.fromkeys(("address", "bars", "logo", "scratch"), "")
    form.values = {**form.values, **gone, **fields_of(made), **kept}


def refuse(form: Form, error: LabelError) -> None:
    """Say beside its field why labels cannot be printed so."""
    cause = error
    while isinstance(cause.__cause__, LabelError):
        cause = cause.__cause__
    match cause:
        case BadLayout(places=places) if places:
            form.wrong(_FIELDS.get(places[-1], places[-1]), said(cause))
        case ModuleTooSmall(side=side, least_mm=least):
            dot = MM_PER_INCH / float(form["dpi"] or 300)
            needed = math.ceil(side * math.ceil(least / dot - 1e-9) * dot * 10) / 10
            form.wrong(
                "qr_size",
                _(
                    "Mã nhỏ quá, khó quét. Với địa chỉ đang dùng, cạnh mã phải từ %(least)s mm.",
                    least=number(needed, 1),
                ),
            )
        case TextDoesNotFit(block=block):
            form.wrong(
                f"{block}_height",
                _("Chữ không vừa ô này, dù ở cỡ chữ nhỏ nhất. Xin làm ô rộng hơn."),
            )
        case BarsTooNarrow():
            form.wrong("bars_width", _("Mã vạch hẹp quá, máy quét không đọc được."))
        case BadLogo():
            form.wrong("", _("Không in được hình trên mẫu này. Xin thay logo hoặc ảnh sản phẩm."))
        case LetterMissing(letter=letter):
            form.wrong("", _("Chưa in được tem: không in được ký tự %(letter)s.", letter=letter))
        case _:
            form.wrong(
                "", _("Máy chưa đọc lại được mã trên mẫu này nên chưa ghi. Xin làm mã lớn hơn.")
            )


def said(error: BadLayout) -> str:
    """What is wrong with a layout."""
    parts = {
        "qr": _("mã QR"),
        "text": _("ô chữ"),
        "address": _("ô địa chỉ"),
        "bars": _("mã vạch"),
        "logo": _("hình"),
        "scratch": _("ô mã cào"),
    }
    named = [parts.get(place, place) for place in error.places]
    match error.reason:
        case "overlap":
            return _("Đè lên nhau: %(one)s và %(other)s.", one=named[0], other=named[-1])
        case "over_edge":
            return _("Ra ngoài mép tem: %(part)s.", part=named[-1])
        case "off_page" | "crowded":
            return _("Các tem không nằm gọn trong tờ. Xin xem lại số cột, số hàng, cỡ, khe và lề.")
        case "letters":
            return _("Cỡ chữ nhỏ nhất không được lớn hơn cỡ chữ lớn nhất.")
        case "leading":
            return _("Giãn dòng từ 0,8 đến 3.")
        case "no_room":
            return _("Tem nhỏ quá, không đủ chỗ cho mã và chữ.")
        case "small_logo":
            return _("Hình phải rộng và cao từ 5 mm, nhỏ hơn thì không nhìn ra.")
        case "small_scratch":
            return _("Ô mã cào phải rộng từ 25 mm và cao từ 6 mm, nhỏ hơn thì không vừa mã.")
        case "in_code":
            return _(
                "Hình che mất mã. Hình chỉ được nằm chính giữa mã, rộng nhiều nhất một phần tư "
                "cạnh mã, và Chịu xước phải là nhiều nhất (H)."
            )
        case "missing":
            return _("Trong tệp thiếu mục %(name)s.", name=named[-1][:30])
        case "length":
            return _("Số này không dùng được: %(name)s.", name=named[-1])
        case "grid":
            return _("Nhiều tem quá trên một tờ.")
        case _:
            return _("Số này không dùng được. Xin xem lại.")
