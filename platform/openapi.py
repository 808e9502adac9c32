"""The OpenAPI document of ``/api/v1``, made from the views that exist.

A view is described where it stands: ``@operation(...)`` beside its route and its ``@allow``.
Schemas come from the same msgspec structs that decode the requests.
"""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Flask, Response, current_app, jsonify

from nongso.platform.accounts import GATEWAY, public, rule_of

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


def operation(
    *,
    answers: dict[int, str],
    body: type[msgspec.Struct] | None = None,
    query: dict[str, str] | None = None,
) -> Callable[[_View], _View]:
    """Describe an API view; the first line of its docstring is the summary."""

    def mark(view: _View) -> _View:
        view.operation = (answers, body, query or {})  # type: ignore[attr-defined]
        return view

    return mark


@blueprint.get("/api/v1/openapi.json")
@public
def document() -> Response:
    """Describe this API."""
    return jsonify(_document(current_app._get_current_object()))  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=4)
def _document(app: Flask) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    structs: list[type[msgspec.Struct]] = []
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/"):
            continue
        view = app.view_functions[rule.endpoint]
        path = re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answers, body, query = getattr(view, "operation", ({200: "as described"}, None, {}))
            if body is not None:
                structs.append(body)
            described = _operation(app, rule.endpoint, view, answers, body, query)
            described["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in sorted(rule.arguments)
            ] + described["parameters"]
            paths.setdefault(path, {})[method.lower()] = described
    _, schemas = msgspec.json.schema_components(
        structs, ref_template="#/components/schemas/{name}"
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
    app: Flask,
    endpoint: str,
    view: Callable[..., Any],
    answers: dict[int, str],
    body: type[msgspec.Struct] | None,
    query: dict[str, str],
) -> dict[str, Any]:
    rule = rule_of(app, endpoint)
    described: dict[str, Any] = {
        "operationId": endpoint.replace(".", "_"),
        "summary": (inspect.getdoc(view) or endpoint).split("\n", 1)[0],
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string"}, "description": text}
            for name, text in query.items()
        ],
        "responses": {
            str(status): {"description": text, "content": _content(status)}
            for status, text in answers.items()
        },
    }
    if body is not None:
        schema = {"$ref": f"#/components/schemas/{body.__name__}"}
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    if rule is not None and not rule.public:
        described["security"] = [{"token": [rule.scope] if rule.scope else []}]
        described["description"] = (
            "For gateways, with the gateway's key."
            if rule.roles == (GATEWAY,)
            else "For " + ", ".join(rule.roles) + "."
        )
    return described


def _content(status: int) -> dict[str, Any]:
    if status < 400:
        return {"application/json": {"schema": {"type": "object"}}}
    return {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
