"""What is answered when something is wrong: a page in plain words, or problem+json for programs.

A page says what happened and what to do next, never "system error". Programs under ``/api/``
and ``/epcis/`` get RFC 9457 problem details, with a ``code`` where there is one.

Trouble with the disk or a database is 503 and says which trouble. Such a page is made without
asking the database for anything, not even for who is asking.
"""

import json
import logging
import re
from typing import Any

import msgspec
from flask import Flask, Response, current_app, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from nongso.platform.accounts import shown
from nongso.platform.languages import _
from nongso.platform.seals import SealError
from nongso.platform.storage import Trouble, trouble_of

log = logging.getLogger(__name__)

RETRY_SECONDS = 30
MACHINE_PATHS = ("/api/", "/epcis/", "/log/", "/metrics", "/healthz")


class Problem(Exception):
    """An answer of 4xx to a program: status, a stable code, a sentence."""

    def __init__(self, status: int, code: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.more = more


def problem(status: int, code: str, detail: str, **more: Any) -> Response:
    """Make a problem+json answer."""
    body = {"type": "about:blank", "status": status, "code": code, "detail": detail, **more}
    return Response(
        json.dumps(body, ensure_ascii=False), status, content_type="application/problem+json"
    )


def unreadable(error: msgspec.DecodeError | UnicodeDecodeError) -> Problem:
    """Say which field of a request's body cannot be read; ``reason`` has the decoder's words."""
    text = str(error)
    known = re.search(r"(missing required|unknown) field `([^`]*)`", text)
    place = re.search(r"at `\$\.?([^`]+)`", text)
    if known is not None and known[1] == "unknown":
        detail = _("Không có trường nào tên là %(field)s.", field=known[2])
    elif known is not None:
        detail = _("Thiếu trường %(field)s.", field=known[2])
    elif place is not None:
        detail = _("Giá trị của trường %(field)s không đúng loại.", field=place[1])
    else:
        detail = _("Nội dung gửi lên không đọc được: cần một đối tượng JSON.")
    field = known[2] if known is not None else place[1] if place is not None else None
    return Problem(400, "bad_request", detail, field=field, reason=text)


def sentence(status: int) -> tuple[str, str]:
    """Return title and advice for a status."""
    known = {
        400: (
            _("Trang này đã mở quá lâu"),
            _("Chưa ghi gì cả. Xin quay lại trang trước, tải lại rồi bấm lần nữa."),
        ),
        401: (_("Cần đăng nhập"), _("Xin đăng nhập rồi thử lại.")),
        403: (
            _("Không được phép xem trang này"),
            _("Trang này dành cho vai trò khác. Nếu cần dùng, xin hỏi nhân viên hợp tác xã."),
        ),
        404: (
            _("Không tìm thấy trang này"),
            _("Địa chỉ có thể bị gõ sai hoặc trang đã được chuyển. Xin quay về trang đầu."),
        ),
        405: (
            _("Không mở được trang này theo cách đó"),
            _("Xin quay lại trang trước rồi bấm nút trên trang."),
        ),
        413: (
            _("Tệp gửi lên quá lớn"),
            _("Chưa ghi gì cả. Xin chọn tệp nhỏ hơn 8 MB."),
        ),
        429: (
            _("Đã thử quá nhiều lần"),
            _("Xin chờ 15 phút rồi thử lại, hoặc nhờ nhân viên hợp tác xã giúp."),
        ),
        503: (
            _("Máy chủ đang bận ghi số liệu"),
            _("Chưa ghi gì cả. Xin thử lại sau một phút."),
        ),
    }
    if status in known:
        return known[status]
    if status < 500:
        return (
            _("Chưa làm được việc này"),
            _("Xin quay lại trang trước và thử lại."),
        )
    if request.method in ("GET", "HEAD"):
        return (
            _("Máy chủ gặp trục trặc"),
            _("Trang này chưa mở được. Xin thử lại sau ít phút."),
        )
    return (
        _("Máy chủ gặp trục trặc"),
        _("Việc vừa bấm có thể chưa xong. Xin xem lại trang trước khi bấm lần nữa."),
    )


def trouble_sentence(trouble: Trouble) -> tuple[str, str]:
    """Return title and advice for trouble with the disk, for a press or for a look."""
    title = {
        Trouble.FULL: _("Máy chủ hết chỗ lưu"),
        Trouble.READ_ONLY: _("Máy chủ không ghi được"),
        Trouble.BUSY: _("Máy chủ đang bận ghi số liệu"),
        Trouble.DAMAGED: _("Tệp dữ liệu của máy chủ bị hỏng"),
        Trouble.BROKEN: _("Ổ đĩa của máy chủ gặp sự cố"),
        Trouble.AWAY: _("Máy chủ chưa nối được với nơi lưu dữ liệu"),
    }[trouble]
    is_press = request.method not in ("GET", "HEAD")
    if trouble is Trouble.BUSY and is_press:
        return title, _("Chưa ghi gì cả. Xin thử lại sau một phút.")
    if trouble is Trouble.BUSY:
        return title, _("Trang này chưa mở được. Xin thử lại sau một phút.")
    if not is_press:
        return title, _(
            "Trang này chưa mở được. Việc tưới ở nhà màng không bị ảnh hưởng. "
            "Xin báo người phụ trách máy."
        )
    if trouble is Trouble.BROKEN:  # whether it was written before the disk failed, nobody knows
        return title, _(
            "Việc vừa bấm có thể chưa ghi được. Xin báo người phụ trách máy, rồi xem lại trước "
            "khi bấm lần nữa."
        )
    return title, _(
        "Chưa ghi gì cả. Xin báo người phụ trách máy, khi sửa xong thì làm lại. "
        "Nút Dừng tất cả vẫn dùng được."
    )


def wants_problem() -> bool:
    """Say whether the asker is a program."""
    return request.path.startswith(MACHINE_PATHS)


def answer(status: int, detail: str | None = None) -> Response:
    """Make the answer for a status, as page or as problem details."""
    title, advice = sentence(status)
    if wants_problem():
        return problem(status, f"http_{status}", detail or title)
    return page_of(status, title, advice)


def page_of(status: int, title: str, advice: str, *, may_stop: bool = False) -> Response:
    """Make a page of a sentence about what went wrong and one about what to do.

    ``may_stop`` puts the button there that stops all water: it works when nothing else does.
    """
    page = render_template(
        "error.html", title=title, advice=advice, status=status, may_stop=may_stop
    )
    return Response(page, status, content_type="text/html; charset=utf-8")


def answer_trouble(trouble: Trouble) -> Response:
    """Make the answer for trouble with the disk, without asking the disk."""
    if "who" not in g:
        g.who = shown()
    title, advice = trouble_sentence(trouble)
    if wants_problem():
        made = problem(503, trouble.value, f"{title}. {advice}")
    else:
        made = page_of(503, title, advice, may_stop=True)
    made.headers["Retry-After"] = str(RETRY_SECONDS)
    return made


def install(app: Flask) -> None:
    """Handle every error of the application."""

    def on_http(error: HTTPException) -> Response:
        status = error.code or 500
        if status < 400:
            return error.get_response()  # type: ignore[return-value]
        if status == 401 and not wants_problem() and request.method in ("GET", "HEAD"):
            return redirect(url_for("accounts.log_in", next=request.full_path.rstrip("?")), 303)  # type: ignore[return-value]
        own_words = error.description != type(error).description
        made = answer(status, error.description if own_words else None)
        if status == 401 and wants_problem():
            made.headers["WWW-Authenticate"] = "Bearer"
        if status == 405 and getattr(error, "valid_methods", None):
            made.headers["Allow"] = ", ".join(error.valid_methods)  # type: ignore[attr-defined]
        return made

    def on_problem(error: Problem) -> Response:
        return problem(error.status, error.code, error.detail, **error.more)

    def on_seal(error: SealError) -> Response:
        log.error("%s %s: %s", request.method, request.path, error)
        return page_of(
            503,
            _("Máy chủ chưa kiểm tra được mã xác nhận"),
            _(
                "Tệp khóa trên máy chủ bị thiếu hoặc hỏng. Xin đăng nhập bằng một mã dự phòng, "
                "và báo người phụ trách máy."
            ),
        )

    def on_bug(error: Exception) -> Response:
        trouble = trouble_of(error, current_app.extensions["nongso.settings"].folder)
        if trouble is not None:
            log.error("%s %s: %s (%s)", request.method, request.path, trouble.value, error)
            return answer_trouble(trouble)
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        return answer(500)

    app.register_error_handler(HTTPException, on_http)
    app.register_error_handler(Problem, on_problem)
    app.register_error_handler(SealError, on_seal)
    app.register_error_handler(Exception, on_bug)
