"""Why a step of making is not recorded. Each error says its own sentence.

``asks`` is true where a reason answers it: the form comes back with a place to write one.
"""

import datetime

from nongso.platform.forms import mass
from nongso.platform.languages import _, date, number, quantity
from nongso.platform.traceability.errors import Refused


class NotMade(Refused):
    """A refusal that knows its sentence."""

    asks = False

    def sentence(self) -> str:
        """Say why, and what to do."""
        return _("Chưa ghi được. Xin xem lại các ô.")


class UnusualYield(NotMade):
    """More or less came out than usually does; a reason is asked for and recorded."""

    code = "unusual_yield"
    field = "reason"
    asks = True

    def __init__(self, got: float, low: float, high: float) -> None:
        super().__init__(f"{got:.1f} % came out, usually {low:.1f}-{high:.1f} %")
        self.got, self.low, self.high = got, low, high

    def sentence(self) -> str:
        """Say what came out and what usually does."""
        return _(
            "Mẻ này làm ra %(got)s, thường là từ %(low)s đến %(high)s. "
            "Xin xem lại số cân. Nếu số đúng, xin ghi lý do rồi bấm ghi lại.",
            got=percent(self.got),
            low=percent(self.low),
            high=percent(self.high),
        )


class MoreDryOutThanIn(NotMade):
    """More dry matter would come out than went in, whatever the moisture was."""

    code = "more_dry_out_than_in"
    field = "output"

    def __init__(self, in_grams: int, out_grams: int, in_dry: float, out_dry: float) -> None:
        super().__init__(f"{out_dry:.0f} g of dry matter out of {in_dry:.0f} g")
        self.in_grams, self.out_grams = in_grams, out_grams
        self.in_dry, self.out_dry = in_dry, out_dry

    def sentence(self) -> str:
        """Say that the water does not explain it."""
        return _(
            "Chưa ghi: %(taken)s không thể làm ra %(made)s. Trừ nước ra, phần khô đưa vào nhiều "
            "nhất %(has)s mà phần khô làm ra ít nhất %(gives)s. Xin xem lại số cân và độ ẩm.",
            taken=mass(self.in_grams),
            made=mass(self.out_grams),
            has=mass(round(self.in_dry)),
            gives=mass(round(self.out_dry)),
        )


class BeyondLand(NotMade):
    """More came from a household this season than its land gives.

    ``surely`` says that no yield anybody claims explains it: then only from whom it was bought
    answers, otherwise a reason does.
    """

    code = "beyond_land"
    asks = True

    def __init__(self, area_m2: int, before: int, now: int, most: int, surely: bool) -> None:
        super().__init__(f"{area_m2} m² give {most} g; {before} g came before, {now} g now")
        self.area_m2, self.before, self.now, self.most = area_m2, before, now, most
        self.surely = surely
        self.field = "bought_from" if surely else "reason"

    def sentence(self) -> str:
        """Say what the land gives, and ask where the rest is from."""
        values = {
            "area": quantity(self.area_m2 / 10_000, "ha", 2),
            "most": mass(self.most),
            "total": mass(self.before + self.now),
        }
        if self.surely:
            return _(
                "Hộ này có %(area)s, một vụ được nhiều nhất %(most)s; thêm lần này là %(total)s. "
                "Phần thêm lấy từ đâu? Xin ghi mua của ai, ở đâu.",
                **values,
            )
        return _(
            "Hộ này có %(area)s, một vụ thường không quá %(most)s; thêm lần này là %(total)s. "
            "Xin ghi lý do, hoặc ghi mua của ai, ở đâu.",
            **values,
        )


class OwnersDiffer(NotMade):
    """What belongs to different people does not go into one batch."""

    code = "owners_differ"
    field = "inputs"

    def sentence(self) -> str:
        """Say what to do."""
        return _(
            "Chưa ghi: các lô này của nhiều chủ khác nhau. Xin làm riêng từng chủ, "
            "hoặc ghi mua lại trước."
        )


class HoldersDiffer(NotMade):
    """What lies in different places does not go into one batch."""

    code = "holders_differ"
    field = "inputs"

    def sentence(self) -> str:
        """Say what to do."""
        return _(
            "Chưa ghi: các lô này đang ở những nơi khác nhau. Xin làm riêng từng nơi, "
            "hoặc ghi nhận về trước."
        )


class NotOurs(NotMade):
    """What is a household's is not packed as somebody else's product."""

    code = "not_ours"
    field = "lot"

    def __init__(self, lot: str, owner: str) -> None:
        super().__init__(f"lot {lot} belongs to {owner}")
        self.lot, self.owner = lot, owner

    def sentence(self) -> str:
        """Say whose it is."""
        return _(
            "Chưa ghi: lô %(lot)s là của hộ nhờ làm thuê. Xin ghi mua lại trước, "
            "hoặc đóng gói thành sản phẩm của chính hộ đó.",
            lot=self.lot,
        )


class OursAlready(NotMade):
    """What the cooperative owns is neither bought nor given back to anybody."""

    code = "ours_already"
    field = "lot"

    def __init__(self, lot: str) -> None:
        super().__init__(f"lot {lot} belongs to the cooperative")
        self.lot = lot

    def sentence(self) -> str:
        """Say so."""
        return _("Chưa ghi: lô %(lot)s là của hợp tác xã rồi.", lot=self.lot)


class Unusable(NotMade):
    """A lot that is expired or lies elsewhere; ``code`` says which."""

    field = "lot"

    def __init__(self, lot: str, code: str) -> None:
        super().__init__(f"lot {lot}: {code}")
        self.lot, self.code = lot, code

    def sentence(self) -> str:
        """Say which of them."""
        return {
            "expired": _("Chưa ghi: lô %(lot)s đã hết hạn sử dụng.", lot=self.lot),
            "held_elsewhere": _(
                "Chưa ghi: lô %(lot)s đang ở nơi khác. Xin ghi nhận về trước.", lot=self.lot
            ),
        }[self.code]


class MoistureImpossible(NotMade):
    """A moisture that this kind cannot have."""

    code = "moisture_impossible"
    field = "moisture"

    def __init__(self, low_permille: int, high_permille: int) -> None:
        super().__init__(f"between {low_permille} and {high_permille} permille")
        self.low_permille, self.high_permille = low_permille, high_permille

    def sentence(self) -> str:
        """Say what is possible."""
        return _(
            "Độ ẩm của loại này từ %(low)s đến %(high)s. Xin xem lại máy đo, hoặc để trống.",
            low=percent(self.low_permille / 10),
            high=percent(self.high_permille / 10),
        )


class Contradicted(NotMade):
    """A correction that what was recorded later contradicts.

    ``why`` is ``used`` (more was taken), ``labelled``, ``gone``, ``boxed`` (in cartons),
    ``drier`` (``lot``, made of it, would hold more dry matter than went in), ``later`` or
    ``earlier`` (a step stands on that day), ``same`` (nothing would change), ``measured`` (the
    sensors' record was sealed for that day), ``changed`` (somebody else corrected it while the
    page was open), ``printed`` (labels say a best-before day that would
    not fit), ``regrouped`` (its parts stand for themselves) or
    ``left`` (some of it went away).
    """

    code = "contradicted"

    def __init__(
        self, lot: str, why: str, amount: int = 0, day: datetime.date | None = None
    ) -> None:
        super().__init__(f"lot {lot}: {why} {amount or ''} {day or ''}".rstrip())
        self.lot, self.why, self.amount, self.day = lot, why, amount, day
        self.field = "day" if why in ("later", "earlier", "printed") else "output"

    def sentence(self) -> str:
        """Say what stands against it."""
        day = date(self.day) if self.day is not None else ""
        return {
            "used": _(
                "Chưa sửa: đã lấy %(used)s từ lô này, nên không thể ít hơn.",
                used=mass(self.amount),
            ),
            "labelled": _(
                "Chưa sửa: lô này đã cấp %(labels)s tem, nên không thể ít gói hơn.",
                labels=number(self.amount),
            ),
            "gone": _(
                "Chưa sửa: %(packs)s gói của lô này đã xuất đi, nên không thể ít hơn.",
                packs=number(self.amount),
            ),
            "boxed": _(
                "Chưa sửa: %(packs)s gói của lô này đang nằm trong thùng. Xin mở thùng trước.",
                packs=number(self.amount),
            ),
            "drier": _(
                "Chưa sửa: với độ ẩm này, mẻ %(lot)s ra nhiều chất khô hơn vào.",
                lot=self.lot,
            ),
            "later": _("Chưa sửa: ngày này muộn hơn việc đã ghi sau đó (%(day)s).", day=day),
            "earlier": _("Chưa sửa: ngày này sớm hơn việc đã ghi trước đó (%(day)s).", day=day),
            "printed": _(
                "Chưa sửa ngày: tem đã in hạn sử dụng %(day)s, quá dài so với ngày này. "
                "Xin ghi các tem đó là tem hỏng rồi sửa.",
                day=day,
            ),
            "same": _("Chưa sửa: các số vẫn như cũ."),
            "changed": _(
                "Chưa sửa: trong lúc trang này mở, lô đã được sửa rồi. Xin xem số mới ở trang của "
                "lô. Nếu vẫn cần sửa, xin bấm lại lần nữa."
            ),
            "measured": _(
                "Chưa sửa ngày: số đo nhà màng đã được tính đến ngày này. "
                "Xin hủy bản ghi rồi ghi lại."
            ),
            "regrouped": _("Chưa sửa: đây là lô gộp. Xin hủy bản ghi rồi ghi lại."),
            "left": _("Chưa hủy: một phần lô này đã xuất đi, lấy mẫu hoặc trả lại."),
        }[self.why]


def percent(value: float) -> str:
    """A yield or a moisture: 14% · 13,9%."""
    rounded = round(value, 1)
    return quantity(rounded, "%", 0 if rounded == int(rounded) else 1)
