"""What EPCIS's addresses share: who asks and may see what, how it is answered, what is refused.

Who may what. Events are captured by a clerk's token with the scope ``records``, for the clerk's
cooperative. Clerk, officer and administrator read what their cooperative has (officers: all),
with ``read``. Strangers may ask too, and are told of packed lots only, and only what the log of
proofs tells everybody. Named queries and jobs are the cooperative's own.

Programs talk here: errors are problem details in English, ``type`` ``epcisException:…``.
"""

import json
import time
from functools import partial
from urllib.parse import quote

from flask import Blueprint, Response, current_app, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from nongso.platform import accounts
from nongso.platform.accounts import Identity, somebody, who
from nongso.platform.store import kept_records, records
from nongso.platform.traceability.epcis import (
    answering,
    capture,
    finding,
    indexing,
    master_data,
    publicly,
    reading,
)
from nongso.platform.traceability.epcis import question as questions
from nongso.platform.traceability.epcis.answering import Style
from nongso.platform.traceability.epcis.capture import Captor
from nongso.platform.traceability.epcis.errors import EpcisError
from nongso.platform.traceability.epcis.namespaces import Prefixes, with_standard
from nongso.platform.traceability.epcis.question import Question
from nongso.platform.traceability.epcis.records import Indexed
from nongso.platform.traceability.epcis.terms import LONGEST_VALUE

blueprint = Blueprint("epcis", __name__, url_prefix="/epcis")

READERS = ("clerk", "officer", "admin")
VERSION = "2.0.0"
MOST_ADDRESS = 8_000
TOKEN_NEVER_ENDS = "2999-12-31T23:59:59Z"
JSON_TYPES = ("application/json", "application/ld+json")
OUR_EXTENSIONS = "nongso=urn:nongso:"


def asker_now() -> Identity | None:
    """Return who asks; ``None`` is a stranger, who sees what is public."""
    found = who()
    if found is None:
        if accounts.bearer() is not None:
            raise EpcisError("SecurityException", "this token is not known, or has ended", 401)
        return None
    if not found.may(*READERS, scope="read"):
        return None  # a farmer, or a token for other things: what everybody may know
    return found


def scope_of(asker: Identity | None) -> finding.Scope:
    if asker is None:
        return Indexed.is_public.is_(True)
    return None if asker.sees_all else Indexed.cooperative == asker.cooperative


def session_now() -> Session:
    """Return the session for reading, with the index at the end of the stream."""
    if indexing.is_behind(records()):
        indexing.catch_up(kept_records())
    return records()


def style_for(asker: Identity | None) -> Style:
    best = request.accept_mimetypes.best_match([*JSON_TYPES, "application/problem+json"])
    if best is None and request.accept_mimetypes:
        raise EpcisError("NotAcceptableException", "answers are JSON or JSON-LD")
    for name in ("GS1-EPCIS-Min", "GS1-CBV-Min"):
        if not serves(request.headers.get(name, VERSION)):
            raise EpcisError("NotAcceptableException", f"{name}: this is version {VERSION}")
    epcs = request.headers.get("GS1-EPC-Format", answering.AS_IT_IS)
    if epcs not in answering.EPC_FORMATS:
        detail = (
            f"GS1-EPC-Format is one of {', '.join(answering.EPC_FORMATS)}; URNs cannot be made, "
            "because a Digital Link does not say where the company's prefix ends"
        )
        raise EpcisError("NotAcceptableException", detail)
    cbv = request.headers.get("GS1-CBV-Format", answering.AS_IT_IS)
    if cbv not in answering.CBV_FORMATS:
        detail = f"GS1-CBV-Format is one of {', '.join(answering.CBV_FORMATS)} in JSON"
        raise EpcisError("NotAcceptableException", detail)
    return Style(epcs, cbv, public=asker is None)


def serves(lowest: str) -> bool:
    try:
        parts = [int(part) for part in lowest[:20].split(".")]
    except ValueError:
        return False
    return parts <= [2, 0, 0]


def prefixes_now() -> Prefixes:
    """Prefixes that the asker explains in the header: ``example=https://ns.example/,…``."""
    found = {}
    for pair in request.headers.get("GS1-Extensions", "").split(","):
        name, equals, meant = pair.strip().partition("=")
        if equals and name and meant:
            found[name] = meant
    return with_standard({"nongso": "urn:nongso:", **found})


def asked_now() -> Question:
    if len(request.full_path) > MOST_ADDRESS:
        raise EpcisError("URITooLongException", f"more than {MOST_ADDRESS} letters")
    pairs = list(request.args.items(multi=True))
    return questions.read(questions.from_address(pairs), prefixes_now())


def json_answer(text: str, status: int = 200, media: str = "application/ld+json") -> Response:
    return Response(text, status, content_type=media)


def answer_page(question: Question, name: str = "SimpleEventQuery") -> Response:
    asker = asker_now()
    style = style_for(asker)
    if asker is None:
        publicly.check(question)
    page = finding.find(session_now(), question, scope_of(asker), _named_for(asker))
    text = answering.document(page.events, style, int(time.time() * 1000), name)
    return linked(json_answer(text), page.token)


def _named_for(asker: Identity | None) -> finding.Named | None:
    """Which places and parties the asker may ask for by what the registry says of them."""
    if asker is None:
        return None
    base = current_app.extensions["nongso.settings"].label_url
    whose = None if asker.sees_all else asker.cooperative
    return partial(master_data.named, records(), base, whose)


def linked(answer: Response, token: str) -> Response:
    """Say where the next page is."""
    if token:
        again = [(n, v) for n, v in request.args.items(multi=True) if n != "nextPageToken"]
        pairs = [*again, ("nextPageToken", token)]
        query = "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs
        )
        path = quote(request.path, safe="/:@!$&'()*,;=~-._")
        answer.headers["Link"] = f'<{request.host_url.rstrip("/")}{path}?{query}>; rel="next"'
        answer.headers["GS1-Next-Page-Token-Expires"] = TOKEN_NEVER_ENDS
    return answer


def collection(members: list[str], token: str = "") -> Response:
    told = {"@context": answering.STANDARD, "type": "Collection", "member": members}
    return linked(json_answer(json.dumps(told, ensure_ascii=False)), token)


def checked_name(text: str) -> str:
    if "\0" in text or len(text) > LONGEST_VALUE:
        raise EpcisError("NoSuchResourceException", "nothing is called so")
    return text


def captor(session: Session) -> Captor:
    asker = somebody()
    if asker.cooperative is None:
        raise EpcisError("SecurityException", "only somebody of a cooperative records its events")
    return Captor(session, asker.cooperative, asker.id, int(time.time() * 1000))


@blueprint.after_request
def _with_versions(answer: Response) -> Response:
    answer.headers["GS1-EPCIS-Version"] = VERSION
    answer.headers["GS1-CBV-Version"] = VERSION
    answer.headers["GS1-Extensions"] = OUR_EXTENSIONS
    if request.method == "OPTIONS":
        answer.status_code = 204
        answer.headers["GS1-EPCIS-Min"] = answer.headers["GS1-EPCIS-Max"] = VERSION
        answer.headers["GS1-CBV-Min"] = answer.headers["GS1-CBV-Max"] = VERSION
        answer.headers["GS1-EPC-Format"] = ", ".join(answering.EPC_FORMATS)
        answer.headers["GS1-CBV-Format"] = ", ".join(answering.CBV_FORMATS)
        answer.headers["GS1-Capture-Error-Behaviour"] = ", ".join(capture.BEHAVIOURS)
        answer.headers["GS1-EPCIS-Capture-Limit"] = str(reading.MOST_EVENTS)
        answer.headers["GS1-EPCIS-Capture-File-Size-Limit"] = str(reading.MOST_BYTES)
    return answer


@blueprint.errorhandler(EpcisError)
def _on_refusal(error: EpcisError) -> Response:
    text = json.dumps(error.problem(), ensure_ascii=False)
    return Response(text, error.status, content_type="application/problem+json")


_NAMES = {
    401: "SecurityException",
    403: "SecurityException",
    404: "NoSuchResourceException",
    405: "ImplementationException",
    413: "CaptureLimitExceededException",
}


@blueprint.errorhandler(HTTPException)
def _on_http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]
    detail = error.description or error.name
    if isinstance(error, RequestEntityTooLarge):
        detail = f"more than {reading.MOST_BYTES} bytes at once"
    elif status == 401:
        detail = "who are you? send Authorization: Bearer <token>"
    name = _NAMES.get(status, "ValidationException" if status < 500 else "ImplementationException")
    made = _on_refusal(EpcisError(name, detail, status))
    if status == 401:
        made.headers["WWW-Authenticate"] = "Bearer"
    if status == 405 and getattr(error, "valid_methods", None):
        made.headers["Allow"] = ", ".join(error.valid_methods)  # type: ignore[attr-defined]
    return made
