"""Why goods are not moved. Each error says its own sentence, in the reader's language."""

import datetime

from nongso.platform.forms import mass
from nongso.platform.languages import _, date, number
from nongso.platform.traceability.errors import Refused


class Told(Refused):
    """A refusal that knows its sentence."""

    def sentence(self) -> str:
        """Say why, and what to do."""
        return _("Chưa ghi được. Xin xem lại các ô.")


class NotEnoughPacks(Told):
    """More packs than there are at that place. ``where`` is "" for the loose ones in store."""

    code = "not_enough_packs"
    field = "lines"

    def __init__(self, lot: str, there: int, wanted: int, where: str = "") -> None:
        super().__init__(f"{there} packs of {lot} are {where or 'in store'}, {wanted} are wanted")
        self.lot, self.there, self.wanted, self.where = lot, there, wanted, where

    def sentence(self) -> str:
        """Say how many there are."""
        values = {"lot": self.lot, "there": number(self.there), "wanted": number(self.wanted)}
        if self.where:
            return _(
                "Chưa ghi: theo sổ, %(where)s chỉ có %(there)s gói của lô %(lot)s, "
                "không đủ %(wanted)s gói.",
                where=self.where,
                **values,
            )
        return _(
            "Chưa ghi: trong kho chỉ còn %(there)s gói rời của lô %(lot)s, "
            "không đủ %(wanted)s gói. Gói trong thùng thì mở thùng trước.",
            **values,
        )


class NotEnoughThere(Told):
    """More kilograms than there are with a holder."""

    code = "not_enough_there"
    field = "lines"

    def __init__(self, lot: str, there_grams: int, wanted_grams: int, where: str) -> None:
        super().__init__(f"{there_grams} g of {lot} are with {where}, {wanted_grams} g are wanted")
        self.lot, self.there_grams, self.wanted_grams = lot, there_grams, wanted_grams
        self.where = where

    def sentence(self) -> str:
        """Say how much there is."""
        return _(
            "Chưa ghi: theo sổ, %(where)s chỉ có %(there)s của lô %(lot)s, không đủ %(wanted)s.",
            where=self.where,
            lot=self.lot,
            there=mass(self.there_grams),
            wanted=mass(self.wanted_grams),
        )


class NothingMoved(Told):
    """A form without any goods on it."""

    code = "nothing_moved"
    field = "lines"

    def sentence(self) -> str:
        """Ask for the goods."""
        return _("Chưa ghi: chưa có hàng nào. Xin ghi số gói hoặc chọn thùng.")


class CartonUnknown(Told):
    """No such carton in this cooperative."""

    code = "carton_unknown"
    field = "cartons"

    def __init__(self, carton: str) -> None:
        super().__init__(f"no carton {carton}")
        self.carton = carton

    def sentence(self) -> str:
        """Say which one."""
        return _("Không có thùng %(carton)s trong sổ của hợp tác xã.", carton=self.carton[:40])


class CartonNotThere(Told):
    """The carton was opened, destroyed, or is somewhere else."""

    code = "carton_not_there"
    field = "cartons"

    def __init__(self, carton: str) -> None:
        super().__init__(f"carton {carton} is not there (any more)")
        self.carton = carton

    def sentence(self) -> str:
        """Say which one."""
        return _(
            "Chưa ghi: thùng %(carton)s đã mở, đã hủy hoặc không còn ở đó. Xin tải lại trang.",
            carton=self.carton,
        )


class HolderUnknown(Told):
    """No such buyer, shop or cooperative in the book."""

    code = "holder_unknown"
    field = "holder"

    def sentence(self) -> str:
        """Ask for another one."""
        return _("Xin chọn nơi nhận.")


class DispatchClosed(Told):
    """A dispatch that was received or voided is neither received nor voided again."""

    code = "dispatch_closed"
    field = ""

    def __init__(self, state: str) -> None:
        super().__init__(f"the dispatch is {state}")
        self.state = state

    def sentence(self) -> str:
        """Say what it is."""
        if self.state == "void":
            return _("Chưa ghi: phiếu gửi này đã hủy.")
        return _("Chưa ghi: phiếu gửi này đã được xác nhận nhận hàng.")


class MovedOn(Told):
    """Some of a dispatch was already sold, returned or destroyed; it is not voided any more."""

    code = "moved_on"
    field = ""

    def __init__(self, lot: str) -> None:
        super().__init__(f"lot {lot} has moved on from there")
        self.lot = lot

    def sentence(self) -> str:
        """Say what to do instead."""
        return _(
            "Chưa hủy phiếu: một phần của lô %(lot)s đã bán, trả lại hoặc tiêu hủy. "
            "Xin ghi hàng trả lại thay vì hủy phiếu.",
            lot=self.lot,
        )


class MoreArrived(Told):
    """More arrived than was sent."""

    code = "more_arrived"
    field = "lines"

    def __init__(self, lot: str) -> None:
        super().__init__(f"more of {lot} arrived than was sent")
        self.lot = lot

    def sentence(self) -> str:
        """Ask to look again."""
        return _(
            "Chưa ghi: số nhận của lô %(lot)s nhiều hơn số đã gửi. Xin xem lại.", lot=self.lot
        )


class TooEarly(Told):
    """A day before the goods existed, or before they were sent."""

    code = "too_early"
    field = "day"

    def __init__(self, day: datetime.date) -> None:
        super().__init__(f"not before {day}")
        self.day = day

    def sentence(self) -> str:
        """Say the first day that can be."""
        return _("Chưa ghi: ngày này quá sớm, sớm nhất là %(day)s.", day=date(self.day))


class Expired(Told):
    """Goods past their best-before date are not sent, sold or put into cartons."""

    code = "expired"
    field = "lines"

    def __init__(self, lot: str, best_before: datetime.date) -> None:
        super().__init__(f"lot {lot} was best before {best_before}")
        self.lot, self.best_before = lot, best_before

    def sentence(self) -> str:
        """Say since when."""
        return _(
            "Chưa ghi: lô %(lot)s đã hết hạn sử dụng ngày %(day)s.",
            lot=self.lot,
            day=date(self.best_before),
        )


class Held(Told):
    """A lot that failed a test or is recalled; ``kind`` says which."""

    code = "held"
    field = "lot"

    def __init__(self, lot: str, kind: str) -> None:
        super().__init__(f"lot {lot} is held: {kind}")
        self.lot, self.kind = lot, kind
        self.code = kind

    def sentence(self) -> str:
        """Say which of the two, and what remains possible."""
        if self.kind == "recalled":
            return _(
                "Chưa ghi: lô %(lot)s đang bị thu hồi. Không dùng, đóng gói, in tem hay gửi đi. "
                "Chỉ ghi được hàng trả lại và tiêu hủy.",
                lot=self.lot,
            )
        return _(
            "Chưa ghi: lô %(lot)s có kết quả kiểm nghiệm không đạt. Không dùng, đóng gói, in tem "
            "hay gửi đi cho đến khi có kết quả đạt.",
            lot=self.lot,
        )


class BadPrefix(Told):
    """Digits that cannot be a GS1 company prefix."""

    code = "bad_prefix"
    field = "prefix"

    def sentence(self) -> str:
        """Say where the right one stands."""
        return _(
            "Mã doanh nghiệp GS1 có từ 6 đến 12 chữ số, ghi trên giấy của GS1. "
            "Nếu chưa có, xin để trống."
        )


class StillOut(Told):
    """A lot whose packs were moved, sampled or tested is not withdrawn as a slip of the pen."""

    code = "still_out"
    field = "why"

    def __init__(self, lot: str) -> None:
        super().__init__(f"lot {lot} was moved or tested")
        self.lot = lot

    def sentence(self) -> str:
        """Say what to do instead."""
        return _(
            "Chưa hủy: lô %(lot)s đã đóng thùng, gửi đi, lấy mẫu hoặc kiểm nghiệm. "
            "Nếu hàng có vấn đề, xin dùng Thu hồi.",
            lot=self.lot,
        )


class WhyLifted(Told):
    """A test that passed would clear one that failed, and nobody said why."""

    code = "why_lifted"
    field = "lifted_why"

    def sentence(self) -> str:
        """Ask for the reason."""
        return _(
            "Lô này đã có kết quả không đạt về cùng chỉ tiêu. Xin ghi vì sao kết quả đó "
            "không còn tính nữa, ví dụ: lấy mẫu lại sau khi xử lý."
        )


class NotCorrected(Told):
    """A test cannot be corrected: ``unknown``, ``wrong`` already, or the ``same`` as it stands."""

    code = "not_corrected"
    field = "lines"

    def __init__(self, test: str, why: str) -> None:
        super().__init__(f"test {test}: {why}")
        self.test, self.why = test, why

    def sentence(self) -> str:
        """Say what to do instead."""
        return {
            "wrong": _(
                "Kết quả này đã được sửa rồi. Xin xem lại trang của lô, sửa dòng mới nhất."
            ),
            "same": _("Chưa sửa: các ô vẫn như cũ. Xin ghi cho đúng rồi bấm lại."),
        }.get(self.why, _("Không có kết quả kiểm nghiệm này."))


class AboveLimit(Told):
    """A result above the limit was recorded as passed, and nobody said why."""

    code = "above_limit"
    field = "above_why"

    def __init__(self, value: str, limit: str) -> None:
        super().__init__(f"{value} is above {limit}")
        self.value, self.limit = value, limit

    def sentence(self) -> str:
        """Name both numbers; ask for the right word, or the reason."""
        return _(
            "Kết quả %(value)s cao hơn mức cho phép %(limit)s mà lại ghi đạt. Xin xem lại phiếu. "
            "Nếu đúng là đạt, xin ghi vì sao.",
            value=self.value,
            limit=self.limit,
        )


class NothingHit(Told):
    """A recall that would hit nothing, or nothing that is not recalled already."""

    code = "nothing_hit"
    field = "key"

    def sentence(self) -> str:
        """Say both reasons."""
        return _("Không có lô nào để thu hồi từ đây, hoặc các lô này đã đang bị thu hồi.")


class HitChanged(Told):
    """Between looking and confirming something was made or moved."""

    code = "hit_changed"
    field = ""

    def sentence(self) -> str:
        """Ask to look again."""
        return _(
            "Chưa thu hồi: trong lúc xem, sổ đã có thay đổi. Xin xem lại danh sách rồi bấm lại."
        )


class RecallUnknown(Told):
    """No such recall in this cooperative."""

    code = "recall_unknown"

    def sentence(self) -> str:
        """Say so."""
        return _("Không có đợt thu hồi này trong sổ của hợp tác xã.")


class RecallEnded(Told):
    """A recall ends once."""

    code = "recall_ended"
    field = ""

    def sentence(self) -> str:
        """Say so."""
        return _("Đợt thu hồi này đã kết thúc.")


class StillInStore(Told):
    """Goods that are to be destroyed lie in the store still."""

    code = "still_in_store"
    field = "outcome"

    def __init__(self, packs: int, grams: int) -> None:
        super().__init__(f"{packs} packs and {grams} g are in store")
        self.packs, self.grams = packs, grams

    def sentence(self) -> str:
        """Say how much, and what to do."""
        return _(
            "Chưa kết thúc: trong kho còn %(packs)s gói và %(mass)s chưa ghi tiêu hủy. "
            "Xin ghi tiêu hủy trước.",
            packs=number(self.packs),
            mass=mass(self.grams),
        )


class NothingToRehearse(Told):
    """No goods have left: there is nothing that could be called back."""

    code = "nothing_to_rehearse"
    field = ""

    def sentence(self) -> str:
        """Say what is needed first."""
        return _("Chưa tập dượt được: không có lô nào đã gửi đi hay bán ra mà không bị thu hồi.")


class RehearsalEnded(Told):
    """A rehearsal's report is kept as it was."""

    code = "rehearsal_ended"
    field = ""

    def sentence(self) -> str:
        """Say so."""
        return _("Lần tập dượt này đã kết thúc, báo cáo được giữ nguyên.")
