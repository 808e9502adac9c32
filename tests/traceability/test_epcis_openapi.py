"""Whatever GS1's own description lets a program send, it gets an answer and never a breakdown.

Schemathesis makes the requests from the OpenAPI document of the standard, right ones and wrong
ones. Asked of every address is: no 5xx but the honest 501 of subscriptions, errors are problem
details, and every answer names the version.
"""

import contextlib
import json
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from epcis_vectors import chain, need, read
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from platform_site import Site
from schemathesis import GenerationMode
from test_epcis_capture import send

EXAMPLES = 4  # a mode and address
UNBUILT = "/queries/{queryName}/subscriptions"


def operations() -> list[Any]:
    document = read(need("epcis", "schema", "openapi-epcis-2.0.json"))
    found = schemathesis.openapi.from_dict(document).get_all_operations()
    return [one.ok() for one in found]


def path_of(case: Any) -> str:
    filled = case.path
    for name, value in (case.path_parameters or {}).items():
        filled = filled.replace("{" + name + "}", quote(str(value), safe="") or "x")
    return "/epcis" + filled


def is_sendable(text: str) -> bool:
    try:
        return "\r" not in text and "\n" not in text and bool(text.encode("latin-1"))
    except UnicodeEncodeError:
        return False


def ask(site: Site, case: Any) -> Any:
    headers = {n: str(v) for n, v in (case.headers or {}).items() if is_sendable(str(v))}
    headers["Authorization"] = "Bearer " + site.tokens["clerk"]
    more: dict[str, Any] = {}
    if case.media_type is not None and isinstance(case.body, dict | list | str | int | float):
        more["data"] = case.body if isinstance(case.body, bytes) else json.dumps(case.body)
        more["content_type"] = case.media_type
    return site.stranger.open(
        path_of(case), method=case.method, query_string=case.query or {}, headers=headers, **more
    )


@pytest.mark.walk
def test_a_foreign_program_meets_no_breakdown_at_any_address(site: Site) -> None:
    send(site, chain("gs1"))
    met: dict[int, int] = {}
    for operation in operations():
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                cases = operation.as_strategy(generation_mode=mode)
            except schemathesis.errors.SchemathesisError:
                continue  # nothing wrong can be sent there

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            )
            @given(case=cases)
            def meet(case: Any) -> None:
                answer = ask(site, case)
                status = answer.status_code
                met[status] = met.get(status, 0) + 1
                unbuilt = status == 501 and case.path.startswith(UNBUILT)
                assert status < 500 or unbuilt, (case.method, answer.request.url, answer.text)
                if status >= 400 and case.method != "HEAD":
                    assert answer.content_type == "application/problem+json", answer.request.url
                if status < 300:
                    assert answer.headers["GS1-EPCIS-Version"] == "2.0.0"

            with contextlib.suppress(Unsatisfiable):  # nothing wrong can be sent there
                meet()
    assert met.get(200, 0) > 20
    assert met.get(400, 0) > 5


NAMES = st.sampled_from(
    [
        "EQ_bizStep",
        "MATCH_anyEPC",
        "GE_eventTime",
        "LT_recordTime",
        "EQ_my:a",
        "GT_quantity_KGM",
        "WD_readPoint",
        "EXISTS_my:a",
        "orderBy",
        "perPage",
        "nextPageToken",
        "eventCountLimit",
        "EQ_bizTransaction_po",
        "eventType",
        "GE_value_CEL",
        "EQ_INNER_ILMD_my:b",
        "EQ_quantity",
    ]
)
VALUES = st.sampled_from(
    [
        "shipping",
        "urn:x:1",
        "2026-01-01T00:00:00Z",
        "1",
        "-1",
        "1e999",
        "|",
        "%",
        "eventTime",
        "9999-12-31T23:59:59.999Z",
        "true",
        "\x00",
        "é",
        "urn:epc:idpat:sgtin:4012345.011111.*",
        "nan",
    ]
) | st.text(max_size=12)


def test_no_question_however_odd_breaks_the_house(site: Site) -> None:
    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(NAMES, VALUES), max_size=4))
    def ask_oddly(pairs: list[tuple[str, str]]) -> None:
        try:
            query = "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in pairs)
        except UnicodeEncodeError:
            return
        for headers in ({}, {"Authorization": "Bearer " + site.tokens["clerk"]}):
            answer = site.stranger.get(f"/epcis/events?{query}", headers=headers)
            assert answer.status_code in (200, 400, 403), (query, answer.text)

    ask_oddly()
