"""The checkpoint as a sheet of paper for the notice board.

Paper is the one copy of a checkpoint that nobody can change from afar: whoever kept last year's
sheet can tell whether the log still holds what it held then. It says what the page says.
"""

from nongso.labels.papers import Paper, Section, Signature
from nongso.platform.languages import _, date, language, number
from nongso.platform.traceability.proof.checkpoints import Checkpoint
from nongso.platform.traceability.proof.notes import Key
from nongso.platform.traceability.proof.records import LogCosignature


def sheet(
    checkpoint: Checkpoint,
    root: str,
    three: str,
    signed_at: int,
    key: Key,
    witnesses: list[tuple[str, Key, LogCosignature | None]],
) -> Paper:
    """Lay out what hangs on the wall; nothing of the hour at which it is printed."""
    seen = [
        (name, witness.name, date(one.at) if one else _("chưa ký dấu niêm này"))
        for name, witness, one in witnesses
    ]
    return Paper(
        title=_("Dấu niêm của sổ công khai"),
        author=checkpoint.origin,
        language="vi-VN" if language() == "vi" else language(),
        lines=(
            _(
                "Ngày %(day)s sổ có %(count)s bản ghi. Ai giữ tờ này thì biết được nếu sau này "
                "có bản ghi cũ bị sửa.",
                day=date(signed_at),
                count=number(checkpoint.size),
            ),
        ),
        code=three,
        notice=True,
        sections=(
            Section(
                "",
                (_("Mã vuông chứa ba dòng đầu: tên sổ, số bản ghi, mã gốc."),),
                rows=(
                    (_("Tên sổ"), checkpoint.origin),
                    (_("Số bản ghi"), str(checkpoint.size)),
                    (_("Mã gốc"), root),
                    (_("Khóa của sổ"), str(key)),
                ),
                widths=(1, 3),
            ),
            Section(
                _("Ai đã thấy cùng một sổ"),
                ()
                if seen
                else (
                    _(
                        "Chưa có bên chứng kiến nào. Vì vậy chưa ai ngoài hợp tác xã xác nhận "
                        "rằng mọi người đều được xem cùng một sổ."
                    ),
                ),
                (_("Bên chứng kiến"), _("Tên sổ"), _("Ngày ký")),
                tuple(seen),
            ),
            Section(
                _("Điều này cho biết gì"),
                (
                    _(
                        "Mỗi việc đã ghi, mỗi loạt tem đã cấp đều có một dòng trong sổ. Sửa một "
                        "dòng cũ thì mã gốc đổi, và dấu niêm không còn khớp."
                    ),
                    _(
                        "Sổ không chứng minh lời khai là đúng. Sổ không ghi tên người, số điện "
                        "thoại."
                    ),
                ),
            ),
        ),
        signatures=(Signature("hop-tac-xa", _("Hợp tác xã ký, đóng dấu")),),
        foot=_("Dán ngày ……/……/………, ở ………………………………"),
    )
