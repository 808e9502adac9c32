"""What is said of an address that is no GS1 Digital Link: which part, and what to do."""

from nongso.platform.languages import _
from nongso.platform.traceability.digital_link import errors

_SHOWN = 40


def wrong_part(error: errors.LinkError) -> str:
    """Name the part that is wrong."""
    match error:
        case errors.WrongCheckDigit(value=value):
            return _("Số %(value)s sai chữ số cuối.", value=value[:_SHOWN])
        case errors.WrongLength(ai=ai, value=""):
            return _("Mục (%(ai)s) còn trống.", ai=ai)
        case errors.WrongLength(ai=ai, value=value):
            return _(
                "Mục (%(ai)s) ghi %(value)s: thiếu hoặc thừa ký tự.", ai=ai, value=value[:_SHOWN]
            )
        case errors.WrongLetter(ai=ai, letter=letter):
            return _(
                "Mục (%(ai)s) có ký tự %(letter)s không dùng được.",
                ai=ai,
                letter=letter if letter.isprintable() else "?",
            )
        case errors.RuleBroken(ai=ai, value=value):
            return _(
                "Mục (%(ai)s) ghi %(value)s: không có ngày hoặc mã nào như thế.",
                ai=ai,
                value=value[:_SHOWN],
            )
        case errors.WrongOrder():
            return _("Các mục trong địa chỉ không đúng thứ tự.")
        case errors.NotInQuery(ai=ai):
            return _("Mục (%(ai)s) không được đứng sau dấu hỏi của địa chỉ.", ai=ai)
        case errors.Repeated(ai=ai):
            return _("Mục (%(ai)s) ghi hai lần.", ai=ai)
        case errors.UnknownIdentifier(ai=ai):
            return _("Không có mục nào mang số %(ai)s.", ai=ai[:_SHOWN])
    return _("Địa chỉ này không viết đúng cách của GS1.")
