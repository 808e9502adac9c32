"""What the records say to people: one whole sentence for each refusal, kind and word."""

import datetime

from nongso.labels.errors import (
    BadLogo,
    BarsTooNarrow,
    LabelError,
    LetterMissing,
    ModuleTooSmall,
    StartCellOutside,
    TextDoesNotFit,
)
from nongso.labels.layout import SHEET, Layout
from nongso.platform.forms import mass
from nongso.platform.languages import _, date, language, number, quantity
from nongso.platform.traceability import errors, records
from nongso.platform.traceability.making.net import Net
from nongso.platform.traceability.making.recipe_book import recipes


def kind_of_lot(kind: str) -> str:
    """What a lot is."""
    if kind in recipes().kinds:
        return recipes().kinds[kind].words.said(language())
    return {
        records.PLANTING: _("lứa đang trồng"),
        records.CROP: _("rau, quả đã thu hoạch"),
        records.PACKS: _("lô hàng đã đóng gói"),
    }[kind]


def content(net: Net) -> str:
    """What one pack holds, as it stands on the pack."""
    return quantity(net.size, "g" if net.ml is None else "ml")


def kind_of_product(kind: str) -> str:
    """What sort of goods."""
    if kind == records.VEGETABLES:
        return _("rau, quả nhà màng")
    words = recipes().kinds[kind].packed
    return words.said(language()) if words is not None else kind


def kind_of_producer(kind: str) -> str:
    """What sort of producer."""
    return {
        "cooperative": _("hợp tác xã"),
        "group": _("tổ hợp tác"),
        "household": _("hộ sản xuất"),
    }[kind]


def refusal(error: errors.Refused) -> str:
    """Say why something was not recorded, and what to do."""
    told = getattr(error, "sentence", None)  # newer refusals say their own
    if told is not None:
        return str(told())
    match error:
        case errors.TooManyLabels():
            return _too_many_labels(error)
        case errors.LabelNotPrintable():
            return _not_printable(error)
        case errors.NotEnough(lot=lot, left_grams=left, wanted_grams=wanted):
            return _(
                "Chưa ghi: %(lot)s chỉ còn %(left)s, không đủ %(wanted)s.",
                lot=lot,
                left=mass(left),
                wanted=mass(wanted),
            )
        case errors.MoreOutThanIn(in_grams=taken, out_grams=made):
            return _(
                "Chưa ghi: làm ra %(made)s, nhiều hơn %(taken)s đưa vào. Xin xem lại số cân.",
                made=mass(made),
                taken=mass(taken),
            )
        case errors.NothingTaken():
            return _("Chưa ghi: chưa chọn lấy từ đâu. Xin ghi số ki-lô-gam lấy vào.")
        case errors.BeforeItsSource(day=day, source=source):
            return _before(_day(day), source)
        case errors.WrongCrop(crop="", product=product):
            return _(
                "Chưa ghi: sản phẩm %(product)s chưa ghi cây trồng. Xin sửa sản phẩm rồi ghi lại.",
                product=product,
            )
        case errors.WrongCrop(lot=lot, grown=grown, product=product):
            return _(
                "Chưa ghi: lô %(lot)s là %(crop)s, không đóng gói thành %(product)s được.",
                lot=lot,
                crop=grown,
                product=product,
            )
        case errors.BestBeforeTooEarly():
            return _("Hạn sử dụng phải sau ngày đóng gói.")
        case errors.BestBeforeTooLate(latest=latest, days=days):
            return _(
                "Hạn sử dụng muộn nhất là %(latest)s, vì sản phẩm này dùng được %(days)s ngày. "
                "Nếu sản phẩm để được lâu hơn, xin sửa hạn của sản phẩm trước.",
                latest=_day(latest),
                days=number(days),
            )
        case errors.Withdrawn(lot=lot):
            return _("Chưa ghi: bản ghi của lô %(lot)s đã bị hủy.", lot=lot)
        case errors.UsedAlready(lot=lot, targets=targets):
            return _(
                "Chưa hủy: lô %(lot)s đã được dùng để làm ra %(others)s. "
                "Xin hủy %(others)s trước.",
                lot=lot,
                others=", ".join(targets),
            )
        case errors.AlreadyRecorded():
            return _(
                "Lần ghi này đã được lưu trước đó với số khác. Số đã lưu vẫn giữ nguyên. "
                "Nếu đây là một lần mới, xin bấm ghi lại."
            )
        case errors.WrongKind(lot=lot, kind=kind):
            return _(
                "Chưa ghi: %(lot)s là %(kind)s, không dùng được cho việc này.",
                lot=lot,
                kind=kind_of_lot(kind),
            )
        case errors.LotUnknown(lot=lot):
            return _("Không có lô %(lot)s trong sổ của hợp tác xã.", lot=lot)
        case errors.NotPacked():
            return _("Chưa in được tem: lô này chưa đóng gói. Xin đóng gói trước.")
        case errors.TooManyAtOnce(most=most):
            return _("Mỗi lần in nhiều nhất %(most)s tem. Xin in nhiều lần.", most=number(most))
        case errors.SerialUnknown(serials=[]):
            return _("Chưa ghi: ô này còn trống. Xin nhập số tem hỏng.")
        case errors.SerialUnknown(serials=serials):
            named = ", ".join(serial[:20] for serial in serials[:5])
            if len(serials) > 5:
                return _(
                    "Chưa ghi: lô này không có tem đang dùng mang số %(serials)s "
                    "và %(count)s số khác.",
                    serials=named,
                    count=number(len(serials) - 5),
                )
            return _("Chưa ghi: lô này không có tem đang dùng mang số %(serials)s.", serials=named)
        case errors.HeldBack():
            return _held_back(error)
        case errors.BadGtin(why="restricted"):
            return _("Mã này chỉ dùng trong một cửa hàng, không in lên hàng bán ra được.")
        case errors.BadGtin(why="check_digit"):
            return _("Mã GTIN sai số cuối. Xin xem lại giấy của GS1. Nếu chưa có, xin để trống.")
        case errors.BadGtin():
            return _("Mã GTIN có 8, 12, 13 hoặc 14 chữ số. Nếu chưa có, xin để trống.")
        case errors.WhichPlot():
            return _(
                "Thửa %(plot)s của hộ này đang trong thời gian cách ly. "
                "Xin chọn thửa đã thu hoạch.",
                plot=error.plot,
            )
        case errors.PlaceUnknown(field="plot"):
            return _("Thửa này không phải của hộ, hoặc không trồng cây này hôm đó. Xin chọn lại.")
        case errors.PlaceUnknown():
            return _("Xin chọn một dòng.")
    return _("Chưa ghi được. Xin xem lại các ô.")


def _held_back(error: errors.HeldBack) -> str:
    said = {
        "product": error.product,
        "sprayed": date(error.sprayed),
        "until": date(error.until),
    }
    if error.deed == "weigh":
        return _(
            "Chưa nhận được: thửa này phun %(product)s ngày %(sprayed)s, "
            "thời gian cách ly đến hết ngày %(until)s.",
            **said,
        )
    if error.harvested is not None:
        return _(
            "Không đóng gói, in tem hay gửi đi: lô này thu hoạch ngày %(harvested)s, "
            "trong thời gian cách ly. %(product)s phun ngày %(sprayed)s, "
            "thời gian cách ly đến hết ngày %(until)s.",
            harvested=date(error.harvested),
            **said,
        )
    if error.deed == "harvest":
        return _(
            "Chưa được thu hoạch: %(product)s phun ngày %(sprayed)s, "
            "thời gian cách ly đến hết ngày %(until)s.",
            **said,
        )
    return _(
        "Chưa được đóng gói: %(product)s phun ngày %(sprayed)s, "
        "thời gian cách ly đến hết ngày %(until)s.",
        **said,
    )


def _day(iso: str) -> str:
    return date(datetime.date.fromisoformat(iso))


def _before(day: str, source: str) -> str:
    """Say which earlier day a step cannot come before."""
    if source in recipes().kinds:
        return _(
            "Chưa ghi: ngày này sớm hơn ngày ghi %(what)s (%(day)s).",
            what=kind_of_lot(source),
            day=day,
        )
    return {
        records.PLANTING: _("Chưa ghi: ngày này sớm hơn ngày trồng (%(day)s).", day=day),
        records.CROP: _("Chưa ghi: ngày này sớm hơn ngày thu hoạch (%(day)s).", day=day),
        "lifted": _("Chưa ghi: ngày này sớm hơn ngày đào củ (%(day)s).", day=day),
    }[source]


def storage(text: str) -> str:
    """How to keep goods: the usual phrases in the reader's language, others as written."""
    usual = {
        "Giữ lạnh 4–8°C.": _("Giữ lạnh 4–8°C."),
        "Để nơi khô, tránh nắng.": _("Để nơi khô, tránh nắng."),
    }
    return usual.get(text, text)


def _too_many_labels(error: errors.TooManyLabels) -> str:
    if error.left == 0:
        return _(
            "Không in thêm tem: lô này có %(packs)s gói và đã cấp đủ %(issued)s tem. "
            "Muốn in thay tem hỏng, xin nhập số tem hỏng.",
            packs=number(error.packs),
            issued=number(error.issued),
        )
    return _(
        "Không in được %(wanted)s tem: lô này có %(packs)s gói, đã cấp %(issued)s tem, "
        "còn được in %(left)s tem.",
        wanted=number(error.wanted),
        packs=number(error.packs),
        issued=number(error.issued),
        left=number(error.left),
    )


def _larger(why: str, fits: Layout | None) -> str:
    if fits is None:
        return why + " " + _("Xin chọn tờ có tem lớn hơn.")
    return why + " " + _("Nhỏ nhất in vừa: %(name)s.", name=sheet_name(fits))


def sheet_name(layout: Layout, own: str = "") -> str:
    """What a layout is called where one is chosen; ``own`` is the cooperative's name for it."""
    sizes = {
        "cells": number(layout.cells),
        "width": number(layout.first.width_mm, 1),
        "height": number(layout.first.height_mm, 1),
    }
    if own:
        return _("%(name)s: %(cells)s tem, mỗi tem %(width)s × %(height)s mm", name=own, **sizes)
    if layout.kind != SHEET:
        if layout.cells > 1:
            return _("cuộn, %(cells)s tem một hàng, mỗi tem %(width)s × %(height)s mm", **sizes)
        if layout.scratch:
            return _("cuộn, tem %(width)s × %(height)s mm có ô mã cào", **sizes)
        if layout.logo:
            return _("cuộn, tem %(width)s × %(height)s mm có hình", **sizes)
        return _("cuộn, tem %(width)s × %(height)s mm", **sizes)
    if layout.logo and layout.level == "H":
        return _("A4, %(cells)s tem có hình giữa mã, mỗi tem %(width)s × %(height)s mm", **sizes)
    if layout.logo:
        return _("A4, %(cells)s tem có hình, mỗi tem %(width)s × %(height)s mm", **sizes)
    if layout.scratch:
        return _("A4, %(cells)s tem có ô mã cào, mỗi tem %(width)s × %(height)s mm", **sizes)
    if layout.bars:
        return _("A4, %(cells)s tem có mã vạch, mỗi tem %(width)s × %(height)s mm", **sizes)
    return _("A4, %(cells)s tem, mỗi tem %(width)s × %(height)s mm", **sizes)


def _not_printable(error: errors.LabelNotPrintable) -> str:
    cause: BaseException | None = error.__cause__
    while isinstance(cause, LabelError) and isinstance(cause.__cause__, LabelError):
        cause = cause.__cause__
    match cause:
        case StartCellOutside(cells=cells):
            return _(
                "Tờ này có ô từ 1 đến %(cells)s. Xin chọn lại ô bắt đầu.", cells=number(cells)
            )
        case TextDoesNotFit():
            return _larger(_("Chưa in được tem: chữ dài quá, không vừa tem."), error.fits)
        case ModuleTooSmall():
            return _larger(
                _("Chưa in được tem: địa chỉ in trên tem dài quá nên mã quá nhỏ, khó quét."),
                error.fits,
            )
        case BadLogo():
            return _("Chưa in được tem: ảnh của sản phẩm không đọc được. Xin thay ảnh khác.")
        case BarsTooNarrow():
            return _larger(
                _("Chưa in được tem: mã vạch của mã số GTIN này rộng quá, không vừa tem."),
                error.fits,
            )
        case LetterMissing(letter=letter):
            return _("Chưa in được tem: không in được ký tự %(letter)s.", letter=letter)
    return _("Chưa in được tem. Xin chọn tờ khác.")
