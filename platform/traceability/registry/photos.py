"""Pictures that come with a form of the desk: of products, of who makes them, of places."""

from pathlib import Path

from flask import request

from nongso.platform import photos
from nongso.platform.forms import Form
from nongso.platform.languages import _
from nongso.platform.traceability.desk import settings
from nongso.platform.wholefile import NotKept

MOST_PHOTO_BYTES = 8 * 1024 * 1024


def photo_folder() -> Path:
    """Where pictures of products and places lie: with those of the diary, by their contents."""
    return settings().folder / "photos"


def read_photo(form: Form, folder: Path, longest_side: int = photos.LONGEST_SIDE) -> str:
    """Keep the picture that was sent, small and without its place; its name, empty for none."""
    sent = request.files.get("photo")
    if sent is None or not sent.filename:
        return ""
    try:
        return photos.keep_sent(folder, sent.stream, MOST_PHOTO_BYTES, longest_side)
    except NotKept:
        form.wrong("photo", _("Máy chủ không giữ được tệp này. Xin báo người phụ trách máy."))
    except photos.BadPhoto as error:
        form.wrong(
            "photo",
            _("Ảnh to quá. Xin chụp lại với cỡ nhỏ hơn.")
            if error.code == "huge"
            else _("Tệp này không phải là ảnh, hoặc ảnh đã hỏng."),
        )
    return ""
