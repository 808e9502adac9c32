"""Asking for events over HTTP: the simple event query, and the lists of what events have."""

from collections.abc import Callable

from flask import Response, request

from nongso.platform.accounts import Identity, public_without_cookies
from nongso.platform.traceability.epcis import answering, finding
from nongso.platform.traceability.epcis import question as questions
from nongso.platform.traceability.epcis.errors import EpcisError, bad_query
from nongso.platform.traceability.epcis.front import (
    answer_page,
    asked_now,
    asker_now,
    blueprint,
    checked_name,
    collection,
    json_answer,
    prefixes_now,
    scope_of,
    session_now,
    style_for,
)
from nongso.platform.traceability.epcis.model import EVENT_TYPES
from nongso.platform.traceability.epcis.question import Among, Column, Question
from nongso.platform.traceability.epcis.records import EPC_NAMES, PUBLIC_COLUMNS
from nongso.platform.traceability.epcis.same_name import same_form
from nongso.platform.traceability.epcis.terms import THINGS, whole_word
from nongso.platform.traceability.epcis.vocabulary import words

# The things that events have, how they are listed: a column, or fields of the index.
_THINGS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "eventTypes": ("kind", (), ""),
    "epcs": ("", THINGS, ""),
    "bizSteps": ("biz_step", (), "business_steps"),
    "bizLocations": ("biz_location", (), ""),
    "readPoints": ("read_point", (), ""),
    "dispositions": ("disposition", (), "dispositions"),
}


@blueprint.get("/")
@public_without_cookies
def home() -> Response:
    """What there is."""
    style_for(None)
    return collection(["capture", "events", "queries", *_THINGS])


@blueprint.get("/events")
@public_without_cookies
def events_home() -> Response:
    """The simple event query."""
    return answer_page(asked_now())


@blueprint.get("/events/<path:event_id>", merge_slashes=False)
@public_without_cookies
def event(event_id: str) -> Response:
    """One event by its name: the event, or its newest declaration that it was wrong."""
    asker = asker_now()
    style = style_for(asker)
    found = finding.named(session_now(), checked_name(event_id), scope_of(asker))
    if not found:
        raise EpcisError("NoSuchResourceException", f"no event is called {event_id[:200]}")
    return json_answer(answering.event(found[-1], style))


def _list_of(thing: str) -> Response:
    asker = asker_now()
    style_for(asker)
    question = questions.read(
        {n: v for n, v in request.args.items() if n in ("perPage", "nextPageToken")}, {}
    )
    column, fields, list_ = _THINGS[thing]
    if asker is None and column and column not in PUBLIC_COLUMNS:
        return collection([])  # where things are, strangers are not told
    limit, after = question.per_page, question.token
    if "\0" in after:
        raise bad_query("nextPageToken is of no list here", parameter="nextPageToken")
    if thing == "eventTypes" and asker is not None:
        found = sorted({*EVENT_TYPES, *_values(column, fields, asker, "", limit)})
        return collection(found)
    found = _values(column, fields, asker, after, limit + 1)
    token = found[limit - 1] if len(found) > limit else ""
    bare = words(list_).bare if list_ else str
    return collection([bare(one) for one in found[:limit]], token)


def _values(
    column: str, fields: tuple[str, ...], asker: Identity | None, after: str, limit: int
) -> list[str]:
    if asker is None:
        return finding.public_names(session_now(), column or EPC_NAMES, after, limit)
    scope = scope_of(asker)
    if column:
        return finding.values_of(session_now(), column, scope, after, limit)
    return finding.names_of(session_now(), fields, scope, after, limit)


def _one_of(thing: str, name: str) -> Response:
    """A thing has events; whether it is there at all is found by asking for one.

    Strangers are told of what stands in their lists.
    """
    asker = asker_now()
    style_for(asker)
    has = _has(thing, name)
    if thing == "eventTypes" and name in EVENT_TYPES:
        return collection(["events"])
    if asker is None:
        column = _THINGS[thing][0]
        (value,) = has.values
        if not finding.is_public_name(session_now(), column or EPC_NAMES, value):
            detail = f"no event that strangers may see has {name[:200]}"
            raise EpcisError("NoSuchResourceException", detail)
    elif not finding.find(
        session_now(), Question(per_page=1).narrowed(has), scope_of(asker)
    ).events:
        raise EpcisError("NoSuchResourceException", f"no event has {name[:200]}")
    return collection(["events"])


def _has(thing: str, name: str) -> Among | Column:
    column, fields, list_ = _THINGS[thing]
    checked_name(name)
    value = whole_word(list_, name, prefixes_now()) if list_ else same_form(name)
    return Column(column, (value,)) if column else Among(fields, (value,))


def _events_of(thing: str, name: str) -> Response:
    _one_of(thing, name)
    return answer_page(asked_now().narrowed(_has(thing, name)))


def _add(thing: str) -> None:
    """Add the three addresses of a sort of thing."""

    def listed() -> Response:
        return _list_of(thing)

    def one(name: str) -> Response:
        return _one_of(thing, name)

    def its_events(name: str) -> Response:
        return _events_of(thing, name)

    views: tuple[tuple[str, str, Callable[..., Response]], ...] = (
        ("", thing, listed),
        ("/<path:name>", f"{thing}_one", one),
        ("/<path:name>/events", f"{thing}_events", its_events),
    )
    for path, endpoint, view in views:
        blueprint.add_url_rule(
            f"/{thing}{path}",
            endpoint,
            public_without_cookies(view),
            methods=["GET"],
            merge_slashes=False,
        )


for _thing in _THINGS:
    _add(_thing)


@blueprint.delete("/nextPageToken/<path:token>", merge_slashes=False)
@public_without_cookies
def end_token(token: str) -> tuple[str, int]:
    """Tokens hold nothing on this side: there is nothing to give back."""
    return "", 204
