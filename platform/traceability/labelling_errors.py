"""Why something about labels is not recorded. Each error says its own sentence."""

from nongso.platform.languages import _
from nongso.platform.traceability.moving_errors import Told


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
