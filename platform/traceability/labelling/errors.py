"""Why something about labels is not recorded. Each error says its own sentence."""

import datetime

from nongso.platform.languages import _, clock, date, number
from nongso.platform.traceability.moving.errors import Told


class NothingInHand(Told):
    """Every label of the lot is accounted for."""

    code = "nothing_in_hand"
    field = "names"

    def __init__(self, lot: str) -> None:
        super().__init__(f"no label of lot {lot} is in hand")
        self.lot = lot

    def sentence(self) -> str:
        """Say that there is nothing to do."""
        return _("Không còn tem nào của lô %(lot)s chưa ghi.", lot=self.lot)


class LabelsTwice(Told):
    """One label was named twice, by its number and by its serial."""

    code = "labels_twice"
    field = "names"

    def __init__(self) -> None:
        super().__init__("a label was named twice")

    def sentence(self) -> str:
        """Say to look again."""
        return _("Chưa ghi: có tem được ghi hai lần. Xin xem lại các số.")


class NotInHand(Told):
    """Labels that are not waiting to be stuck on a pack."""

    code = "not_in_hand"
    field = "names"

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names

    def sentence(self) -> str:
        """Say which."""
        if not self.names:
            return _("Chưa ghi: ô này còn trống. Xin nhập số tem.")
        return _(
            "Chưa ghi: tem %(names)s không có, hoặc đã được ghi là đã dán, hỏng hay trả lại.",
            names=", ".join(name[:20] for name in self.names[:5]),
        )


class NotOfARoll(Told):
    """A number that no label of a roll of this cooperative has."""

    code = "not_of_a_roll"
    field = "first"

    def __init__(self, serial: str) -> None:
        super().__init__(f"{serial} is of no roll")
        self.serial = serial

    def sentence(self) -> str:
        """Say which."""
        return _(
            "Chưa gắn: số %(serial)s không có trong cuộn tem in sẵn nào. Xin quét lại tem.",
            serial=self.serial[:20],
        )


class OtherRoll(Told):
    """First and last label are of different rolls."""

    code = "other_roll"
    field = "last"

    def __init__(self) -> None:
        super().__init__("first and last are of different rolls")

    def sentence(self) -> str:
        """Say what to do."""
        return _("Chưa gắn: tem đầu và tem cuối ở hai cuộn khác nhau. Xin gắn từng cuộn một.")


class RollUsed(Told):
    """A label of the stretch is bound already."""

    code = "roll_used"
    field = "first"

    def __init__(self, serial: str, lot: str) -> None:
        super().__init__(f"{serial} is bound to {lot}")
        self.serial, self.lot = serial, lot

    def sentence(self) -> str:
        """Say which, and where it is."""
        return _(
            "Chưa gắn: tem %(serial)s trong đoạn này đã gắn với lô %(lot)s.",
            serial=self.serial,
            lot=self.lot,
        )


class OtherProduct(Told):
    """The roll was printed for another product."""

    code = "other_product"
    field = "lot"

    def __init__(self, product: str) -> None:
        super().__init__(f"the roll was printed for {product}")
        self.product = product

    def sentence(self) -> str:
        """Say for which."""
        return _(
            "Chưa gắn: cuộn tem này in cho %(product)s, lô này là hàng khác.",
            product=self.product,
        )


class LayoutNamed(Told):
    """Another layout of the cooperative has that name."""

    code = "layout_named"
    field = "title"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a layout {name!r}")
        self.name = name

    def sentence(self) -> str:
        """Say to take another name."""
        return _("Đã có mẫu tem mang tên này. Xin chọn tên khác.")


class TooManyLayouts(Told):
    """A cooperative keeps as many layouts as it may."""

    code = "too_many_layouts"
    field = "title"

    def __init__(self, most: int) -> None:
        super().__init__(f"at most {most} layouts")
        self.most = most

    def sentence(self) -> str:
        """Say what to do."""
        return _(
            "Chưa ghi: đã có %(most)s mẫu tem. Xin bỏ bớt mẫu không dùng.", most=number(self.most)
        )


class MarkNamed(Told):
    """Another mark has that name."""

    code = "mark_named"
    field = "name"

    def __init__(self) -> None:
        super().__init__("there is a mark of that name")

    def sentence(self) -> str:
        """Say so."""
        return _("Nhãn hiệu này đã có trong sổ.")


class NoScratchPlace(Told):
    """Scratch codes on a layout that has no place for one."""

    code = "no_scratch_place"
    field = "layout"

    def __init__(self, layout: str) -> None:
        super().__init__(f"{layout} has no place for a scratch code")
        self.layout = layout

    def sentence(self) -> str:
        """Say what to choose."""
        return _("Tờ tem này không có ô mã cào. Xin chọn tờ có ô mã cào, hoặc in không có mã cào.")


class LogoNotPrintable(Told):
    """The cooperative's logo, as it is kept, cannot be printed."""

    code = "logo_not_printable"
    field = "layout"

    def __init__(self) -> None:
        super().__init__("the cooperative's logo cannot be printed")

    def sentence(self) -> str:
        """Say where to take it away."""
        return _(
            "Chưa in được tem: logo của hợp tác xã không in lên tem được. Xin bỏ hoặc thay logo ở "
            "trang “Logo trên tem”, hoặc chọn tờ tem không có hình."
        )


class NotScratched(Told):
    """An issue whose labels have no scratch codes."""

    code = "not_scratched"
    field = ""

    def __init__(self) -> None:
        super().__init__("these labels have no scratch codes")

    def sentence(self) -> str:
        """Say so."""
        return _("Các tem này không có mã cào.")


class SheetGiven(Told):
    """A sheet with scratch codes is given out once; the codes are kept nowhere."""

    code = "sheet_given"
    field = ""

    def __init__(self, at: int, is_used: bool, sheet: int = 1, replaces: int = 0) -> None:
        super().__init__("the sheet was given out" + (" and is in use" if is_used else ""))
        self.at, self.is_used, self.sheet = at, is_used, sheet
        self.was_faster = 0 < replaces < sheet

    def sentence(self) -> str:
        """Say when, and what can be done."""
        day, hour = date(self.at), clock(self.at)
        if self.is_used:
            return _(
                "Tờ in này đã tải lúc %(clock)s ngày %(day)s, và đã có tem dán lên gói hoặc đã "
                "cào. Tem nào hỏng, xin ghi tem hỏng rồi in lại: tem mới có mã cào mới.",
                clock=hour,
                day=day,
            )
        if self.was_faster:
            return _(
                "Đã có người tải tờ mới lúc %(clock)s ngày %(day)s, nên lần bấm này không ra tờ "
                "nào. Chỉ tờ tải lúc ấy có mã cào đúng: xin in tờ đó, bỏ các tờ trước.",
                clock=hour,
                day=day,
            )
        return _(
            "Tờ in này đã tải lúc %(clock)s ngày %(day)s. Máy không giữ mã cào nên không tải lại "
            "được đúng tờ ấy.",
            clock=hour,
            day=day,
        )


class NotAsIssued(Told):
    """The records of what was printed were changed since."""

    code = "not_as_issued"
    field = ""

    def __init__(self, id_: str) -> None:
        super().__init__(f"what is kept of {id_} is not what was issued")

    def sentence(self) -> str:
        """Say that nothing is printed, and whom to tell."""
        return _(
            "Không in lại: dữ liệu của tờ tem này đã bị sửa, không còn giống lúc cấp. "
            "Xin báo người phụ trách máy."
        )


class RightTwice(Told):
    """A producer has a right to the mark in these days already."""

    code = "right_twice"
    field = "producer"

    def __init__(self, producer: str) -> None:
        super().__init__(f"{producer} has a right already")
        self.producer = producer

    def sentence(self) -> str:
        """Say what to do."""
        return _(
            "%(producer)s đã có quyền trong thời gian này. Xin ghi ngày cuối cho quyền cũ trước.",
            producer=self.producer,
        )


class NotEntitled(Told):
    """A collective mark for a producer who may not use it on that day."""

    code = "not_entitled"
    field = "mark"

    def __init__(self, mark: str, producer: str, day: str) -> None:
        super().__init__(f"{producer} may not use {mark} on {day}")
        self.mark, self.producer, self.day = mark, producer, day

    def sentence(self) -> str:
        """Say who, which mark and when."""
        return _(
            "Không in tem mang nhãn hiệu tập thể %(mark)s: ngày %(day)s %(producer)s không có "
            "quyền dùng. Xin ghi giấy cho phép trước, hoặc in tem không mang nhãn hiệu.",
            mark=self.mark,
            day=date(datetime.date.fromisoformat(self.day)),
            producer=self.producer or _("nơi sản xuất"),
        )
