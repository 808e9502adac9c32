"""What a station's program is, and what became of a new version of it, as one sentence.

Pure. The words are those of the gateway's ``program`` rows; a word of a newer gateway gets a
general sentence.
"""

from collections.abc import Mapping
from typing import Any

from nongso.platform.languages import _, clock, date


def program_sentence(name: str, program: Mapping[str, Any] | None) -> str:
    """Say what a station runs; empty if it has never told."""
    if not program:
        return ""
    state, why = str(program["state"]), str(program["why"])
    if state == "offered":
        return _("Có phần mềm mới cho trạm đo %(name)s. Trạm tự tải khi có mạng.", name=name)
    if state == "fetching":
        return _("Trạm đo %(name)s đang tải phần mềm mới. Số đo vẫn được gửi.", name=name)
    if state == "trial":
        return _("Trạm đo %(name)s đang chạy thử phần mềm mới.", name=name)
    if state == "rolled_back":
        return _rolled_back(name, why)
    if state == "refused":
        return _refused(name, why)
    return _running(program)


def _running(program: Mapping[str, Any]) -> str:
    version, number = str(program["version"]), int(program["number"])
    if not number:
        return _("Phần mềm trạm đo: bản %(version)s.", version=version)
    return _(
        "Phần mềm trạm đo: bản %(version)s, làm ngày %(day)s lúc %(hour)s.",
        version=version,
        day=date(number),
        hour=clock(number),
    )


def _rolled_back(name: str, why: str) -> str:
    if why == "hung":
        return _(
            "Phần mềm mới bị treo nên trạm đo %(name)s đã tự quay lại bản cũ. Trạm vẫn chạy, xin "
            "báo người quản trị.",
            name=name,
        )
    if why == "crashed":
        return _(
            "Phần mềm mới bị lỗi nên trạm đo %(name)s đã tự quay lại bản cũ. Trạm vẫn chạy, xin "
            "báo người quản trị.",
            name=name,
        )
    if why == "unheard":
        return _(
            "Phần mềm mới không gửi được số đo nên trạm đo %(name)s đã tự quay lại bản cũ. Trạm "
            "vẫn chạy, xin báo người quản trị.",
            name=name,
        )
    return _(
        "Trạm đo %(name)s bị tắt khi chạy thử phần mềm mới nên đã quay lại bản cũ. Trạm vẫn chạy, "
        "xin xem nguồn điện.",
        name=name,
    )


def _refused(name: str, why: str) -> str:
    if why == "signature":
        return _(
            "Trạm đo %(name)s không nhận phần mềm mới vì chữ ký không đúng. Trạm vẫn chạy bản cũ, "
            "xin báo người quản trị.",
            name=name,
        )
    if why == "older":
        return _(
            "Trạm đo %(name)s không nhận phần mềm cũ hơn bản đang chạy. Không phải làm gì.",
            name=name,
        )
    if why == "no_space":
        return _(
            "Trạm đo %(name)s không đủ chỗ cho phần mềm mới. Trạm vẫn chạy bản cũ, xin báo người "
            "quản trị.",
            name=name,
        )
    return _(
        "Trạm đo %(name)s không dùng được phần mềm mới. Trạm vẫn chạy bản cũ, xin báo người quản "
        "trị.",
        name=name,
    )
