"""The address of the request as it was sent, read as a GS1 Digital Link.

The server has undone the per cent escapes of the path before a view sees it, and with them the
difference between a slash and an escaped slash; the address as sent still has it.
"""

from urllib.parse import quote

from flask import request

from nongso.platform.traceability import digital_link as dl
from nongso.platform.traceability.digital_link.compressed import decompress


def asked_link(base: str) -> dl.Link:
    """Read the request's address as ``sent_link`` does. Raises ``LinkError``."""
    sent = str(request.environ.get("REQUEST_URI", ""))
    if not sent.startswith("/"):
        sent = quote(request.path, safe="/:@!$&'()*+,;=~-._")
        if request.query_string:
            sent += "?" + request.query_string.decode("latin-1")
    return sent_link(base, sent)


def sent_link(base: str, sent: str) -> dl.Link:
    """Read path and query as they were sent. A slash at the end is forgiven, a short GTIN filled
    up, and what follows the key may be compressed.

    Raises ``LinkError``. ``base`` is the setting ``label_url``; its own path counts as stem.
    """
    path, mark, query = sent.partition("?")
    stem = base.rstrip("/")
    try:
        return dl.parse(stem + path.rstrip("/") + mark + query, short_gtin=True)
    except dl.LinkError as error:
        parts = path.strip("/").split("/")
        if len(parts) != 3:
            raise
        try:
            return decompress(parts[2], stem, (dl.check(parts[0], parts[1]),))
        except dl.LinkError:
            raise error from None
