"""Text goes out compressed, because a phone far up the valley gets 64 kbit/s.

A page of 20 kB is 5 kB then. BREACH (2013) reads a secret out of compressed pages: somebody
else's site makes the victim's browser open our page many times with guesses in the address, and
an ear on the line sees which answer got shorter. Our form tokens would be such a secret. So:

* our cookies are ``SameSite=Lax``: what another site's page fetches carries no log-in, and has no
  log-in's token in it; only a visible change of page does, thousands of times in a row;
* an answer to a request that another site has caused goes out as it is, as far as browsers say so
  in ``Sec-Fetch-Site``;
* for browsers that do not say it, every answer gets some random bytes of length in the gzip
  header's file name, as Django does since 4.2 ("Heal the BREACH"), which hides what one guess
  saves.

A reverse proxy before us that compresses too finds ``Content-Encoding`` and leaves it alone. It
should not compress by itself what we left as it is: in nginx that is the default (``gzip`` is
off for proxied answers with ``gzip_proxied off``).

Not for streams, pictures, or answers of less than 1 kB.
"""

import gzip
import io
import secrets

from flask import Flask, Response, current_app, request

from nongso.platform.accounts import rule_of

LEAST_BYTES = 1000
MOST_RANDOM_BYTES = 64
LEVEL, FILE_LEVEL = 5, 9
STATUSES = (200, 400, 401, 403, 404, 409, 422)
TYPES = (
    "text/",
    "application/json",
    "application/problem+json",
    "application/manifest+json",
    "application/javascript",
    "image/svg+xml",
)
OURS = ("same-origin", "none")


def install(app: Flask) -> None:
    """Compress answers. Registered first, because Flask calls the first one last."""
    kept: dict[tuple[str, str], bytes] = {}  # our own files, a few and small

    def compress(answer: Response) -> Response:
        if answer.status_code not in STATUSES or not (answer.mimetype or "").startswith(TYPES):
            return answer
        is_file = request.endpoint == "static" and answer.status_code == 200
        if "Content-Encoding" in answer.headers or (answer.is_streamed and not is_file):
            return answer
        if "Vary" in answer.headers:
            answer.vary.add("Accept-Encoding")
        else:
            answer.headers["Vary"] = "Accept-Encoding"
        if not request.accept_encodings["gzip"] or not (is_file or _is_safe()):
            return answer
        answer.direct_passthrough = False
        plain = answer.get_data()
        if len(plain) < LEAST_BYTES:
            return answer
        if is_file:  # nobody's secret is in it, and it is the same every time
            key = (request.path, answer.headers.get("ETag", ""))
            packed = kept[key] = kept.get(key) or _packed(plain, FILE_LEVEL)
        else:
            packed = _packed(plain, LEVEL, secrets.token_hex(MOST_RANDOM_BYTES // 2))
        answer.set_data(packed)
        answer.headers["Content-Encoding"] = "gzip"
        tag, _weak = answer.get_etag()
        if tag is not None:
            answer.set_etag(tag, weak=True)  # the same contents, in other bytes
        return answer

    app.after_request(compress)


def _is_safe() -> bool:
    """Tell whether nobody can learn a secret from the length of the answer."""
    rule = rule_of(current_app, request.endpoint)
    if rule is not None and rule.public and not rule.sets_cookies:
        return True  # the same page for everybody, and shared caches keep it
    return request.headers.get("Sec-Fetch-Site", "none") in OURS


def _packed(plain: bytes, level: int, padding: str = "") -> bytes:
    out = io.BytesIO()
    name = padding[: secrets.randbelow(MOST_RANDOM_BYTES + 1)]
    with gzip.GzipFile(name, "wb", level, out, mtime=0) as packing:
        packing.write(plain)
    return out.getvalue()
