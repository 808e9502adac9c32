"""What a form is answered with when a page sends it by script, and where its page is opened.

``static/phone.js`` sends a form so that a cut network leaves the page as it is. Where another
page follows, it is told the address (``X-Go-To``) instead of being led there: the browser then
goes there itself, once, as after a form that it has sent.
"""

from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect, Rule

SENT_BY, GO_TO = "X-Sent-By", "X-Go-To"
LONGEST_QUERY = 300  # of an address that is written into its own page


def install(app: Flask) -> None:
    """Answer pages that send forms by script; give templates the addresses of their pages."""
    app.after_request(_tell_where)
    app.jinja_env.globals.update(language_link=language_link, page_address=page_address)


def _tell_where(answer: Response) -> Response:
    if SENT_BY not in request.headers or answer.status_code not in (302, 303):
        return answer
    next_ = answer.headers.pop("Location")
    answer.status_code = 204
    answer.set_data(b"")
    answer.headers[GO_TO] = next_
    return answer


def page_address() -> str:
    """The address that opens the page that is shown; of a refused form the page of the form."""
    path, asked = _page()
    query = urlencode(asked)
    return f"{path}?{query}" if query and len(query) <= LONGEST_QUERY else path


def language_link(code: str) -> str:
    """The page that is shown, in another language."""
    path, kept = _page()
    asked = urlencode([*((k, v) for k, v in kept if k != "lang"), ("lang", code)])
    return f"{path}?{asked if len(asked) <= LONGEST_QUERY else 'lang=' + code}"


def _page() -> tuple[str, list[tuple[str, str]]]:
    asked = list(request.args.items(multi=True))
    if request.method in ("GET", "HEAD") or _is_page(request.path):
        return request.path, asked
    before = urlsplit(request.referrer or "")
    if _is_page(before.path):
        return before.path, parse_qsl(before.query)
    path = request.path
    while path != "/":  # the form of a page has an address below it
        path = path.rstrip("/").rpartition("/")[0] or "/"
        if _is_page(path):
            break
    return path, asked


def _is_page(path: str) -> bool:
    """Say whether the path opens a page, which is not only that of another with such a name."""
    opened, sent = _rule(path, "GET"), _rule(path, "POST")
    return opened is not None and (sent is None or sent.rule == opened.rule)


def _rule(path: str, method: str) -> Rule | None:
    try:
        found, _values = current_app.url_map.bind("").match(path, method, return_rule=True)
    except (HTTPException, RequestRedirect):
        return None
    return found
