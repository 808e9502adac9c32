"""Why a number is on the list, said to the clerk."""

from nongso.platform.languages import _, number
from nongso.platform.traceability.labelling import state as labelling_state
from nongso.platform.traceability.scans import signs
from nongso.platform.traceability.scans.records import ScanSign
from nongso.platform.traceability.scans.usual import COPIED, EXPLAINED, UNCLEAR


def reason(sign: ScanSign) -> str:
    """The sentence of a sign, with the figures of the last time."""
    if sign.rule == signs.TRAVEL:
        return _travel(sign)
    if sign.rule == signs.ONE_BROWSER:
        why = _("Cùng một loại trình duyệt: thường là một điện thoại đổi mạng.")
        return f"{_travel(sign)} {why}"
    if sign.rule == signs.MANY_PHONES:
        return _(
            "%(phones)s điện thoại đã quét số này; sản phẩm này thường không quá %(usual)s.",
            phones=number(sign.values["phones"]),
            usual=number(sign.values["usual"]),
        )
    if sign.rule == signs.MANY_DAYS:
        return _(
            "Số này được quét trong %(days)s ngày khác nhau; sản phẩm này thường không quá "
            "%(usual)s ngày.",
            days=number(sign.values["days"]),
            usual=number(sign.values["usual"]),
        )
    if sign.rule == signs.OUTSIDE:
        return _(
            "%(phones)s điện thoại quét ở %(province)s, nơi sản phẩm này chưa từng bán nhiều.",
            phones=number(sign.values["phones"]),
            province=sign.values["province"],
        )
    said = _by_books(sign.values["state"])
    where = sign.values.get("province")
    return said + " " + _("Lần cuối ở %(province)s.", province=where) if where else said


def _travel(sign: ScanSign) -> str:
    places = {"one": sign.values["from"], "other": sign.values["to"]}
    if sign.values["seconds"] == 0:
        return _("Quét cùng một lúc ở %(one)s và %(other)s.", **places)
    return _(
        "Quét ở %(one)s, chỉ %(seconds)s giây sau lại quét ở %(other)s.",
        seconds=number(sign.values["seconds"]),
        **places,
    )


def _by_books(state: str) -> str:
    return {
        labelling_state.UNKNOWN: _("Chưa từng cấp tem mang số này."),
        labelling_state.NOT_ACTIVATED: _(
            "Theo sổ, tem này chưa dán lên gói nào, nhưng đã có người quét."
        ),
        labelling_state.SPOILED: _("Tem này đã báo hỏng, nhưng vẫn có người quét."),
        labelling_state.RETURNED: _("Tem này đã trả lại, nhưng vẫn có người quét."),
        labelling_state.RECALLED: _("Lô này đã thu hồi, nhưng vẫn có người quét."),
        labelling_state.FAILED: _("Lô này kiểm nghiệm không đạt, nhưng vẫn có người quét."),
        labelling_state.HELD_BACK: _(  # of lines that were written when it counted as a sign
            "Lô này thu hoạch khi chưa hết thời gian cách ly, nhưng vẫn có người quét."
        ),
        labelling_state.WITHDRAWN: _("Bản ghi của lô này đã hủy, nhưng vẫn có người quét."),
        signs.DESTROYED: _("Cả lô này đã tiêu hủy, nhưng vẫn có người quét."),
    }[state]


def outcomes() -> dict[str, str]:
    """What may come of looking into a number, in words."""
    return {
        COPIED: _("Tem bị sao chép"),
        EXPLAINED: _("Có lý do, không phải sao chép"),
        UNCLEAR: _("Chưa rõ"),
    }
