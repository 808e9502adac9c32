"""Named queries over HTTP. Subscriptions are not built, and say so."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, request, url_for
from sqlalchemy import select

from nongso.platform import accounts
from nongso.platform.accounts import allow, somebody
from nongso.platform.store import records, transaction
from nongso.platform.traceability.epcis import question as questions
from nongso.platform.traceability.epcis.errors import EpcisError, bad_query, invalid
from nongso.platform.traceability.epcis.front import (
    READERS,
    answer_page,
    blueprint,
    captor,
    checked_name,
    json_answer,
    style_for,
)
from nongso.platform.traceability.epcis.namespaces import prefixes_of, with_standard
from nongso.platform.traceability.epcis.question import Question
from nongso.platform.traceability.epcis.records import NamedQuery
from nongso.platform.traceability.epcis.terms import moment

MOST_NAME = 100
MOST_QUERIES = 500  # of one cooperative


@blueprint.get("/queries")
@allow(*READERS, scope="read")
def queries() -> Response:
    """All named queries."""
    style_for(somebody())
    wanted = accounts.scoped(select(NamedQuery), NamedQuery.cooperative)
    found = records().scalars(wanted.order_by(NamedQuery.name).limit(MOST_QUERIES)).all()
    return json_answer(json.dumps([_told(one) for one in found], ensure_ascii=False))


@blueprint.post("/queries")
@allow("clerk", scope="records")
def new_query() -> tuple[Response, int]:
    """Give a query a name."""
    body = _decoded()
    name, asked = body.get("name"), body.get("query")
    if not isinstance(name, str) or not 1 <= len(name) <= MOST_NAME or not name.isprintable():
        raise invalid(f"name: from 1 to {MOST_NAME} printable letters", field="name")
    if "/" in name or not isinstance(asked, dict):
        raise invalid("needs a name without strokes and a query, an object", field="query")
    question = _of_named(asked)
    if question.token:
        raise bad_query("a named query has no nextPageToken", parameter="nextPageToken")
    with transaction() as session:
        asker = captor(session)
        if session.get(NamedQuery, (asker.cooperative, name)) is not None:
            raise EpcisError("DuplicateNameException", f"a query is called {name} already")
        session.add(
            NamedQuery(
                cooperative=asker.cooperative,
                name=name,
                created_ms=asker.now_ms,
                actor=asker.actor,
                query=asked,
            )
        )
    answer = Response(status=201)
    answer.headers["Location"] = url_for("epcis.query_events", name=name)
    return answer, 201


def _decoded() -> Mapping[str, Any]:
    try:
        body = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError) as error:
        raise invalid("the text is no JSON") from error
    if not isinstance(body, dict):
        raise invalid("expected an object")
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise invalid("a text has a letter that cannot be written down") from error
    if "\\u0000" in json.dumps(body):
        raise invalid("a text has a zero byte")
    return body


def _of_named(asked: Mapping[str, Any]) -> Question:
    prefixes = {**prefixes_of(asked.get("@context")), "nongso": "urn:nongso:"}
    return questions.read(asked, with_standard(prefixes))


def _told(query: NamedQuery) -> dict[str, Any]:
    return {"name": query.name, "query": query.query, "createdAt": moment(query.created_ms)}


def _query(name: str) -> NamedQuery:
    wanted = accounts.scoped(select(NamedQuery), NamedQuery.cooperative)
    found = records().scalar(wanted.where(NamedQuery.name == checked_name(name)))
    if found is None:
        raise EpcisError("NoSuchNameException", f"no query is called {name[:MOST_NAME]}")
    return found


@blueprint.get("/queries/<name>")
@allow(*READERS, scope="read")
def query(name: str) -> Response:
    """What a named query asks."""
    style_for(somebody())
    return json_answer(json.dumps(_told(_query(name)), ensure_ascii=False))


@blueprint.delete("/queries/<name>")
@allow("clerk", scope="records")
def end_query(name: str) -> tuple[str, int]:
    """Forget a named query."""
    with transaction() as session:
        session.delete(session.merge(_query(name)))
    return "", 204


@blueprint.get("/queries/<name>/events")
@allow(*READERS, scope="read")
def query_events(name: str) -> Response:
    """The events that a named query finds now."""
    asked = dict(_query(name).query)
    pages = {n: v for n, v in request.args.items() if n in ("perPage", "nextPageToken")}
    return answer_page(_of_named({**asked, **pages}), name)


@blueprint.route("/queries/<name>/subscriptions", methods=["GET", "POST"])
@allow(*READERS, scope="read")
def subscriptions(name: str) -> Response:
    """Not built: said so."""
    _query(name)
    raise _no_subscriptions()


@blueprint.route("/queries/<name>/subscriptions/<number>", methods=["GET", "DELETE"])
@allow(*READERS, scope="read")
def subscription(name: str, number: str) -> Response:
    """Not built: said so."""
    _query(name)
    raise _no_subscriptions()


def _no_subscriptions() -> EpcisError:
    detail = "subscriptions are not built here; ask /queries/{name}/events from time to time"
    return EpcisError("ImplementationException", detail, 501)
