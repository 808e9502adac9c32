"""No address makes the server stumble, by whomever and with whatever query it is asked.

New routes join by themselves. What may stand in a query is read from the sources: every name that
any view asks for is tried at every address.
"""

import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from hostile_forms import DAYS, NUMBERS, TEXTS
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from test_matrix import WHO, Office, office  # noqa: F401  (a fixture)
from werkzeug.routing import Rule as UrlRule

import nongso.platform.store as anywhere

SOURCES = Path(anywhere.__file__).parent
ASKED_FOR = re.compile(
    r"""(?:args|values)\.get(?:list)?\(\s*["'](\w+)|(?:whole|read)\(["'](\w+)"""
)
TIMES = (
    *("0", "-1", "1", "1e9", "253402300800", "99999999999999999999", "1099511627775", "now"),
    *("1790000000", "9223372036854775807", "-62135596801", "2026-11-22T00:00:00Z", "+1", "1_0"),
)
WHOLE_QUERIES = (
    *("?", "?&&==&=", "?%", "?%ff%fe=%00", "?a[]=1&a[b]=2", "?;a=1;b", "?lang=xx&lang=en"),
    *("?" + "a=1&" * 3000, "?limit=-1", "?limit=99999999999999999999", "?limit=1&limit=2"),
    *("?since=2&until=1", "?since=nan&until=inf", "?step=1&since=0", "?step=-1", "?day=%00"),
    *("?said=" + "&said=".join(map(str, range(40))), "?next=//evil.example", "?wait=nan"),
)
PLACES = (
    *("x", "%00", "%ff", "%2e%2e%2f", "a%2Fb", "9" * 400, "%F0%9F%8C%BE", "' OR 1=1 --", "null"),
    *("-1", "<script>", "a" * 3000, "%0d%0aX:%20y", "{{7*7}}", "\u1ea1", "tan-binh-1"),
)
SOME = (
    "nobody",
    "farmer",
    "clerk",
    "officer",
    "admin",
    "helper who may look",
    "farmer elsewhere",
    "token of a clerk",
    "gateway",
)


def names() -> list[str]:
    """Every name that some view looks for in a query, and one that nobody does."""
    found = {"nobody-reads-this", "limit", "since", "until", "step", "cursor", "after"}
    for file in SOURCES.rglob("*.py"):
        found |= {name for pair in ASKED_FOR.findall(file.read_text()) for name in pair if name}
    return sorted(found)


NAMES = names()
VALUES = (*NUMBERS, *DAYS, *TEXTS, *TIMES, "tan-binh-1", "tan-binh-1-k1", "light", "vi", "en")


def looks(of: Office) -> list[UrlRule]:
    found = [r for r in of.place.app.url_map.iter_rules() if "GET" in (r.methods or set())]
    return sorted(found, key=lambda rule: rule.rule)


def check(of: Office, column: str, address: str) -> int:
    who = next(one for one in WHO if one[0] == column)
    answer = of.client(who).get(address)
    status = answer.status_code
    answer.close()
    assert status < 500, (column, address[:300], status)
    to = urlsplit(answer.headers.get("Location", "/"))
    assert to.netloc in ("", "localhost"), (column, address[:300], to)
    assert answer.headers["X-Content-Type-Options"] == "nosniff", (column, address[:300])
    return status


def encoded(query: dict[str, str]) -> str:
    return "&".join(f"{name}={quote(v, safe='', errors='replace')}" for name, v in query.items())


def some_query(chance: random.Random) -> str:
    if chance.random() < 0.2:
        return chance.choice(WHOLE_QUERIES)
    picked = chance.sample(NAMES, min(len(NAMES), chance.randint(1, 3)))
    return "?" + encoded({name: chance.choice(VALUES)[:20_000] for name in picked})


def walk(of: Office, rounds: int, seed: int) -> int:
    chance, tried = random.Random(seed), 0
    for rule in looks(of):
        address = of.path(rule)
        for _ in range(rounds):
            check(of, chance.choice(SOME), address + some_query(chance))
            tried += 1
        for _ in range(rounds if rule.arguments else 0):
            spoilt = re.sub(r"<[^>]+>", lambda _found: chance.choice(PLACES), rule.rule)
            check(of, chance.choice(SOME), spoilt + some_query(chance))
            tried += 1
    return tried


def test_names_are_found_in_the_sources() -> None:
    assert {"said", "days", "day", "wait", "poll", "limit", "since", "lang", "next"} <= set(NAMES)


def test_every_address_bears_every_query(office: Office) -> None:  # noqa: F811
    assert walk(office, 3, seed=1) > 3 * len(looks(office))


@pytest.mark.walk
def test_every_address_bears_thousands_of_queries(office: Office) -> None:  # noqa: F811
    """The same ones each time; HOSTILE_SEED=7 and the like has others."""
    assert walk(office, 15, int(os.environ.get("HOSTILE_SEED", "2"))) > 5000


@pytest.mark.parametrize("name", NAMES)
def test_what_takes_a_number_or_a_day_bears_any(office: Office, name: str) -> None:  # noqa: F811
    """Each name alone at the addresses whose views ask for it, with every value there is."""
    chance = random.Random(name)
    for rule in looks(office):
        view = office.place.app.view_functions[rule.endpoint]
        if not asks_for(view, name):
            continue
        for value in chance.sample((*NUMBERS, *DAYS, *TIMES), 8):
            check(office, "clerk", f"{office.path(rule)}?{encoded({name: value[:5000]})}")


def asks_for(view: Callable[..., object], name: str) -> bool:
    file = getattr(getattr(view, "__code__", None), "co_filename", "")
    return file.startswith(str(SOURCES)) and f'"{name}"' in Path(file).read_text()


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=60,
)
@given(
    place=st.integers(0, 10**6),
    column=st.sampled_from(SOME),
    query=st.dictionaries(
        st.sampled_from(NAMES) | st.text(max_size=8),
        st.text(max_size=40) | st.integers().map(str) | st.floats().map(str) | st.dates().map(str),
        max_size=4,
    ),
)
def test_no_text_at_all_makes_an_address_stumble(
    office: Office,  # noqa: F811
    place: int,
    column: str,
    query: dict[str, str],
) -> None:
    rules = looks(office)
    address = office.path(rules[place % len(rules)])
    check(office, column, address + "?" + encoded({quote(n): v for n, v in query.items()}))


@pytest.mark.parametrize("limit", ["-1", "x", "99999999999999999999", "1.5", "٣"])
def test_a_limit_that_is_none_is_explained(office: Office, limit: str) -> None:  # noqa: F811
    who = next(one for one in WHO if one[0] == "clerk")
    path = f"/api/v1/zones/tan-binh-1-k1/runs?limit={quote(limit)}&lang=vi"
    answer = office.client(who).get(path)
    assert answer.status_code == 400
    detail = answer.json["detail"]
    assert detail in ("limit phải là số nguyên.", "limit phải từ 1 đến 1000."), detail
