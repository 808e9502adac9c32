"""What a hostile browser sends to the forms: fields and bodies, and a page taken apart."""

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from flask.testing import FlaskClient
from hypothesis import strategies as st
from werkzeug.test import TestResponse

PICTURES = (
    "/static/",
    "/records/products/",
    "/greenhouses/",
    "/p/",
    "/v/",
    "/records/producers/",
)  # of ours
MOST_ALIKE = 4  # pages whose addresses differ only in names of things

NUMBERS = (
    *("0", "-0", "-1", "1e999", "1e3", "NaN", "inf", "0x10", "1_000", "²", "٣٤", "１２", "½"),
    *("9" * 5000, "0" * 5000 + "1", "1.234,5", "1.250", "1,234.5", ",5", "5,", "\u22125", "2,5"),
    *("9223372036854775808", "0.0000001", "1/0"),
    # begin with a number that would do
    *("000000001" + "9" * 5000, "000000365" + "9" * 30, "000000001" + "0" * 6),
)
DAYS = (
    *("9999-12-31", "0001-01-01", "0000-00-00", "2026-02-30", "31/02/2026", "2026-13-01"),
    *("٢٠٢٦-٠١-٠١", "1969-12-31", "2026-1-1", "10000-01-01", "2026-W01-1", "01/01/0000"),
)
TEXTS = (
    *("", " ", "\u00a0", "\x00", "a\x00b", "\ud800", "\u202egpj.exe", "\ufeff", "\r\n\r\nX: y"),
    *("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<hostile>", "{{ 7*7 }}"),
    *("=cmd|'/c calc'!A1", "%(day)s %s {0}", "../../etc/passwd", "..\\..\\x", "' OR 1=1 --"),
    *("a" * 100_000, "e" + "\u0301\u0323" * 20_000, "🌾" * 300, "\u1ea1", "a\u0323"),
)


def values(theirs: list[str]) -> st.SearchStrategy[str]:
    """What may stand in any field; ``theirs`` are numbers of another cooperative's things."""
    return st.one_of(
        st.sampled_from(NUMBERS),
        st.sampled_from(DAYS),
        st.sampled_from(TEXTS),
        st.sampled_from(theirs),
        st.text(max_size=30),
        st.integers().map(str),
        st.dates().map(str),
    )


OF_A_KIND = {"number": NUMBERS, "day": DAYS, "text": TEXTS}


@dataclass(frozen=True)
class Form:
    """A form as its page shows it: where it goes, and what a browser would send.

    ``kinds`` has the sort of each field: a number, a day, or a text (all others).
    """

    path: str
    fields: tuple[tuple[str, str], ...]
    kinds: dict[str, str] = field(default_factory=dict, hash=False)

    def body(self, changes: dict[str, str | None], doubled: list[tuple[str, str]]) -> str:
        """The body with fields changed, left out (``None``), and sent twice."""
        kept = [(n, changes.get(n, v)) for n, v in self.fields]
        kept += [(n, v) for n, v in changes.items() if n not in dict(self.fields)]
        return urlencode(
            [(n, v) for n, v in kept if v is not None] + doubled, errors="surrogatepass"
        )


@dataclass
class Page(HTMLParser):
    """A page taken apart as a browser does: its forms, its links, and what would run in it."""

    path: str
    forms: list[Form] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    hostile: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: tuple[str, list[tuple[str, str]]] | None = None
        self._select = ""
        self._kinds: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if (
            tag in ("hostile", "iframe", "object", "base")
            or (tag == "img" and not (found.get("src") or "").startswith(PICTURES))
            or (tag == "script" and not found.get("src", "").startswith("/static/"))
            or any(name.startswith("on") or name == "style" for name in found)
        ):
            self.hostile.append(f"<{tag} {found}>")
        if tag == "a" and "href" in found:
            self.links.append(urljoin(self.path, found["href"]).split("#")[0])
        if tag == "form":
            goes_to = urlsplit(urljoin(self.path, found.get("action", "")))
            self._open = (goes_to.path, []) if found.get("method") == "post" else None
            self._kinds = {}
        if self._open is None:
            return
        if tag in ("input", "button") and "name" in found:
            self._open[1].append((found["name"], found.get("value", "")))
            if found.get("type") == "date":
                self._kinds[found["name"]] = "day"
            elif found.get("inputmode") in ("numeric", "decimal"):
                self._kinds[found["name"]] = "number"
        if tag == "select":
            self._select = found["name"]
        if tag == "option" and self._select and found.get("value"):
            self._open[1].append((self._select, found["value"]))
            self._select = ""
        if tag == "textarea":
            self._open[1].append((found["name"], ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._open is not None:
            path, fields = self._open
            self.forms.append(Form(path, tuple(dict(reversed(fields)).items()), self._kinds))
            self._open = None


def read(path: str, answer: TestResponse) -> Page:
    """Take an answer's page apart."""
    page = Page(path)
    if answer.mimetype == "text/html":
        page.feed(answer.text)
    return page


def walk(client: FlaskClient, *starts: str) -> list[Page]:
    """Open every page that links lead to, the answers of which must not be failures."""
    seen, waiting, found = {*starts}, [*starts], []
    alike: Counter[str] = Counter()
    while waiting:
        path = waiting.pop(0)
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code < 500, f"{path}: {answer.status_code}"
        page = read(path, answer)
        found.append(page)
        for link in page.links:
            if urlsplit(link).netloc or "lang=" in link or "day=" in link or link in seen:
                continue
            seen.add(link)
            kind = re.sub(r"[^/]*[A-Z0-9][^/]*", "*", urlsplit(link).path)
            alike[kind] += 1
            if alike[kind] <= MOST_ALIKE:
                waiting.append(link)
    return found
