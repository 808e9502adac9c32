"""The OpenAPI document of ``/api/v1``, made from the views that exist.

A view is described where it stands: ``@operation(...)`` beside its route and its ``@allow``.
Schemas come from the same msgspec structs that decode the requests.
"""

import functools
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from flask import Blueprint, Flask, Response, current_app, jsonify, render_template
from werkzeug.routing import Rule

from nongso.platform.accounts import GATEWAY, public, rule_of
from nongso.platform.accounts import Rule as AccessRule

blueprint = Blueprint("openapi", __name__)

_View = TypeVar("_View", bound=Callable[..., Any])

_PROBLEM = {
    "type": "object",
    "required": ["type", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable word for programs"},
        "detail": {"type": "string", "description": "a sentence in the reader's language"},
    },
}


# JSON has one sort of number: 20.0 is as whole as 20, and clients send it.
WholeNumber = Annotated[float, msgspec.Meta(ge=1, le=10_000_000, multiple_of=1)]

# What every protected call may answer beside what its own view says.
_ALWAYS = {401: "who are you?", 403: "not for you", 503: "not now; try again later"}
_WITH_BODY = {400: "the body cannot be read", 413: "the body is too large"}
_WITH_QUERY = {400: "the query cannot be read"}


class Parameter(NamedTuple):
    """A parameter of the query: its JSON schema, what it means, whether it must be there.

    The schema is a function where its words come from files, which are not read on import.
    """

    schema: dict[str, Any] | Callable[[], dict[str, Any]]
    text: str
    needed: bool = False


def text_of(text: str, needed: bool = False, most: int | None = None) -> Parameter:
    """Return a parameter that is a text; with ``most``, of 1 to so many characters."""
    limits = {} if most is None else {"minLength": 1, "maxLength": most}
    return Parameter({"type": "string", **limits}, text, needed)


def one_of(text: str, *values: str) -> Parameter:
    """Return a parameter that is one of these words."""
    return Parameter({"type": "string", "enum": list(values)}, text)


def one_of_these(text: str, values: Callable[[], Iterable[str]]) -> Parameter:
    """Return a parameter that is one of the words that a file of data knows."""
    return Parameter(lambda: {"type": "string", "enum": list(values())}, text)


def pattern(text: str, pattern: str, needed: bool = False) -> Parameter:
    """Return a parameter that a regular expression (ECMA-262) describes."""
    return Parameter({"type": "string", "pattern": pattern}, text, needed)


def whole(text: str, low: int = 0, high: int = (1 << 40) - 1) -> Parameter:
    """Return a parameter that is a whole number."""
    return Parameter({"type": "integer", "minimum": low, "maximum": high}, text)


class Described(NamedTuple):
    """What a view says of itself."""

    answers: dict[int, str] = {200: "as described"}  # noqa: RUF012  (a named tuple's default)
    answer: Any = None
    body: type[msgspec.Struct] | None = None
    body_needed: bool = True
    query: dict[str, Parameter] = {}  # noqa: RUF012
    media: str = "application/json"


def operation(
    *,
    answers: dict[int, str],
    answer: Any = None,
    body: type[msgspec.Struct] | None = None,
    body_needed: bool = True,
    query: dict[str, Parameter] | None = None,
    media: str = "application/json",
) -> Callable[[_View], _View]:
    """Describe an API view; the first line of its docstring is the summary.

    ``answer`` is the type (a ``TypedDict``) of what a call that went well answers.
    """

    def mark(view: _View) -> _View:
        view.operation = Described(  # type: ignore[attr-defined]
            answers, answer, body, body_needed, query or {}, media
        )
        return view

    return mark


@blueprint.get("/api/v1/openapi.json")
@public
def document() -> Response:
    """Describe this API."""
    return jsonify(_document(current_app._get_current_object()))  # type: ignore[attr-defined]


@blueprint.get("/api/v1/")
@public
def page() -> str:
    """Show the description for people."""
    found = _document(current_app._get_current_object())  # type: ignore[attr-defined]
    return render_template("openapi/page.html", document=found, said=_said)


@functools.lru_cache(maxsize=4)
def _document(app: Flask) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    types: list[Any] = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "openapi.page":
            described = getattr(app.view_functions[rule.endpoint], "operation", Described())
            types += [kind for kind in (described.body, described.answer) if kind is not None]
    found, schemas = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    schema_of = {id(kind): schema for kind, schema in zip(types, found, strict=True)}
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/") or rule.endpoint == "openapi.page":
            continue
        path = re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            described = getattr(app.view_functions[rule.endpoint], "operation", Described())
            paths.setdefault(path, {})[method.lower()] = _operation(
                app, rule, described, schema_of
            )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nongso",
            "version": "1",
            "description": "Greenhouses, watering and traceability. Times are Unix seconds.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Problem": _PROBLEM, **schemas},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(
    app: Flask, at: Rule, described: Described, schema_of: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    rule = rule_of(app, at.endpoint)
    view = app.view_functions[at.endpoint]
    protected = rule is not None and not rule.public
    answers = {
        **(_ALWAYS if protected else {}),
        **(_WITH_BODY if described.body is not None else {}),
        **(_WITH_QUERY if described.query else {}),
        **({404: "not there, or not yours"} if at.arguments else {}),
        **described.answers,
    }
    made: dict[str, Any] = {
        "operationId": at.endpoint.replace(".", "_"),
        "summary": (inspect.getdoc(view) or at.endpoint).split("\n", 1)[0],
        "parameters": [_in_path(at, name) for name in sorted(at.arguments)]
        + [
            {
                "name": name,
                "in": "query",
                "required": one.needed,
                "schema": one.schema() if callable(one.schema) else one.schema,
                "description": one.text,
            }
            for name, one in described.query.items()
        ],
        "responses": {
            str(status): {
                "description": text,
                "content": _content(status, described, schema_of),
            }
            for status, text in sorted(answers.items())
        },
    }
    if described.body is not None:
        made["requestBody"] = {
            "required": described.body_needed,
            "content": {"application/json": {"schema": schema_of[id(described.body)]}},
        }
    if rule is not None and protected:
        scope = [] if rule.roles == (GATEWAY,) else [rule.scope_for(_method(at))]
        made["security"] = [{"token": scope}]
        made["description"] = _for_whom(rule, scope)
    return made


def _in_path(at: Rule, name: str) -> dict[str, Any]:
    is_uuid = type(at._converters[name]).__name__ == "UUIDConverter"
    schema = {"type": "string", "format": "uuid"} if is_uuid else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _method(at: Rule) -> str:
    return next(iter((at.methods or set()) - {"HEAD", "OPTIONS"}))


def _for_whom(rule: AccessRule, scope: list[str]) -> str:
    if not scope:
        return "For gateways, with the gateway's key."
    return f"For {', '.join(rule.roles)}; a token needs the scope {scope[0]}."


def _content(
    status: int, described: Described, schema_of: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    if status >= 400:
        return {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if described.media != "application/json":
        return {described.media: {}}
    known = schema_of.get(id(described.answer), {"type": "object"})
    return {"application/json": {"schema": known}}


def _said(schema: dict[str, Any]) -> str:
    """Write a schema in a few words, for the page."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(_said(one) for one in schema["anyOf"])
    kind = schema.get("format") or schema.get("type", "any")
    if kind == "array" and "prefixItems" in schema:
        return f"[{', '.join(map(_said, schema['prefixItems']))}]"
    if kind == "array":
        return f"[{_said(schema.get('items', {}))}, …]"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return "{name: " + _said(schema["additionalProperties"]) + "}"
    return " | ".join(kind) if isinstance(kind, list) else str(kind)
