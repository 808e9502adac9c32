"""Rules that every page keeps, whoever looks at it: found by walking all links of a whole office.

One office with a greenhouse, its readings and two packed lots is opened once; each role goes
wherever links lead it, in both languages. What a browser must tell (contrast as it is painted,
text at 200 %) is not measured here; the colours are computed from the style sheet.
"""

import itertools
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import migrated
import pytest
from babel.messages.pofile import read_po
from office import NODE_1, NODE_2, Place, open_place
from werkzeug.exceptions import HTTPException

from nongso.platform.settings import Settings
from nongso.platform.traceability import demo

PLATFORM = Path(__file__).parents[2] / "platform"
STATIC = PLATFORM / "static"
ROLES = (None, "farmer", "clerk", "officer", "helper", "admin")
STARTS = ("/", "/login", "/greenhouses", "/records/", "/nowhere", "/t/ZZZZZZ", "/t?code=ZZZZZZ")
# Files, and photos of products, producers and places.
OURS = ("/static/", "/records/products/", "/records/producers/", "/p/", "/v/")
MOST_ALIKE = 8  # pages of one view that are opened in a walk
FIRST_SCREEN_BYTES, CONSUMER_BYTES = 60_000, 50_000
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
FIELDS = {"input", "select", "textarea"}


@dataclass
class Element:
    """One element of a page, with all the text in it."""

    tag: str
    attrs: dict[str, str]
    inside: tuple["Element", ...]
    text: str = ""

    @property
    def name(self) -> str:
        """What is read out for a link or a button."""
        return (self.attrs.get("aria-label") or self.text).strip()


class Page(HTMLParser):
    """A page as it was answered, taken apart."""

    def __init__(self, path: str, role: str | None, language: str, html: str) -> None:
        super().__init__()
        self.path, self.role, self.language, self.html = path, role, language, html
        self.elements: list[Element] = []
        self.texts: list[str] = []
        self._open: list[Element] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = Element(tag, {k: v or "" for k, v in attrs}, tuple(self._open))
        self.elements.append(found)
        if tag not in VOID:
            self._open.append(found)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {k: v or "" for k, v in attrs}, tuple(self._open)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"{self}: </{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"{self}: </{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, text: str) -> None:
        other = any(one.attrs.get("lang", self.language) != self.language for one in self._open)
        if not other:  # to be read in that language, such as its own name
            self.texts.append(" ".join(text.split()))
        for element in self._open:
            element.text += text

    def of(self, *tags: str) -> list[Element]:
        return [one for one in self.elements if one.tag in tags]

    def ids(self) -> list[str]:
        return [one.attrs["id"] for one in self.elements if "id" in one.attrs]

    def fetched(self) -> list[str]:
        """The files that the page asks for by itself, before it is used."""
        later = ("linkset", "manifest")  # a browser fetches the manifest when it has nothing to do
        links = [e.attrs["href"] for e in self.of("link") if e.attrs.get("rel") not in later]
        links = [one for one in links if not one.startswith("data:")]  # part of the page
        return links + [e.attrs["src"] for e in self.of("script", "img") if "src" in e.attrs]

    def __repr__(self) -> str:
        return f"{self.path} ({self.role}, {self.language})"


@dataclass
class Walk:
    """All pages that were found, and the links that lead nowhere."""

    pages: list[Page] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def walk(place: Place, role: str | None, language: str) -> Walk:
    """Open every page that a role finds by following links."""
    client = place.client(role)
    client.set_cookie("nongso_language", language)
    found, seen, waiting = Walk(), set(STARTS), [(start, "") for start in STARTS]
    alike: Counter[str] = Counter()
    views = place.app.url_map.bind("localhost")
    while waiting:
        path, on = waiting.pop(0)
        if path.startswith(("/t/", "/T/", "/01/")):  # takes no cookies
            path += "?lang=" + language
        answer = client.get(path, follow_redirects=True)
        if on and answer.status_code >= 400:
            found.broken.append(f"{path} on {on}: {answer.status_code}")
        if answer.mimetype != "text/html":
            continue
        page = Page(path, role, language, answer.text)
        found.pages.append(page)
        for link in page.of("a"):
            target = urlsplit(urljoin(path, link.attrs.get("href", "")))
            address = target.path + ("?" + target.query if target.query else "")
            if target.scheme or "lang=" in address or "day=" in address or address in seen:
                continue
            seen.add(address)
            with suppress(HTTPException):  # an address of nothing is found broken
                view = views.match(target.path)[0]
                alike[view] += 1
                if alike[view] > MOST_ALIKE:
                    continue
            waiting.append((address, str(page)))
    return found


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An office at work: a greenhouse with its readings, two packed lots with labels."""
    settings = Settings(folder=tmp_path_factory.mktemp("office"), secret="0123456789abcdef" * 4)
    migrated.lay_down(settings)
    made = open_place(settings)
    made.configure()
    now = int(time.time())
    past = [
        [name, at, 20 + at // 600 % 7, 16]
        for at in range(now - 86400, now - 30, 600)
        for name in ("air_temperature", "air_humidity", "soil_moisture", "light")
    ]
    made.bring(made.readings(NODE_1, *past), made.readings(NODE_2, *past))
    demo.lay_down(settings, now)
    yield made
    made.close()


@pytest.fixture(scope="module")
def walks(office: Place) -> list[Walk]:
    return [walk(office, role, language) for role in ROLES for language in ("vi", "en")]


@pytest.fixture(scope="module")
def pages(walks: list[Walk]) -> list[Page]:
    return [page for one in walks for page in one.pages]


def test_every_link_leads_somewhere(walks: list[Walk]) -> None:
    assert [broken for one in walks for broken in one.broken] == []


def test_the_walk_comes_to_every_room(pages: list[Page]) -> None:
    seen = {page.path.split("?")[0] for page in pages}
    for path in (*STARTS[:4], "/greenhouses/tan-binh-1", "/records/packing", "/records/products"):
        assert path in seen
    for begin in ("/t/", "/records/lots/", "/records/labels/", "/records/products/"):
        assert any(path.startswith(begin) for path in seen), begin


def test_a_page_says_its_language_and_has_one_heading_and_a_title(pages: list[Page]) -> None:
    for page in pages:
        assert page.of("html")[0].attrs["lang"] == page.language, page
        (heading,) = page.of("h1")
        assert heading.text.strip(), page
        assert page.of("title")[0].text.strip(), page


def test_headings_come_in_steps(pages: list[Page]) -> None:
    for page in pages:
        levels = [int(one.tag[1]) for one in page.of("h1", "h2", "h3", "h4")]
        assert levels[0] == 1, page
        for above, below in itertools.pairwise(levels):
            assert below <= above + 1, f"{page}: h{above} then h{below}"


def test_a_keyboard_comes_first_to_the_content(pages: list[Page]) -> None:
    for page in pages:
        first = page.of("a", "button", "input")[0]
        assert first.attrs.get("href") == "#main", page
        assert page.of("main")[0].attrs["id"] == "main", page
        assert not [e for e in page.elements if int(e.attrs.get("tabindex", 0)) > 0], page


def test_names_of_places_on_a_page_are_used_once_and_meant_where_they_are_used(
    pages: list[Page],
) -> None:
    for page in pages:
        ids = page.ids()
        assert [one for one, count in Counter(ids).items() if count > 1] == [], page
        for element in page.elements:
            for by in ("for", "aria-labelledby", "aria-describedby"):
                for name in element.attrs.get(by, "").split():
                    assert name in ids, f"{page}: {by}={name}"
            href = element.attrs.get("href", "")
            assert not href.startswith("#") or href[1:] in ids, f"{page}: {href}"


def test_every_field_button_link_and_picture_has_a_name(pages: list[Page]) -> None:
    for page in pages:
        labelled = {one.attrs.get("for") for one in page.of("label") if one.text.strip()}
        for element in page.of(*FIELDS):
            inside_label = any(one.tag == "label" and one.text.strip() for one in element.inside)
            named = element.attrs.get("aria-label") or element.attrs.get("id") in labelled
            if element.attrs.get("type") != "hidden":
                assert named or inside_label, f"{page}: {element.tag} {element.attrs}"
        for element in page.of("a", "button", "summary"):
            assert element.name, f"{page}: {element.tag} {element.attrs}"
        for element in page.of("svg"):
            hidden = any("aria-hidden" in one.attrs for one in (element, *element.inside))
            assert hidden or "aria-label" in element.attrs, page
        for element in page.of("img"):
            assert "alt" in element.attrs, page
        for element in page.of("th"):
            assert element.text.strip(), page


def test_where_one_must_choose_nothing_is_chosen_beforehand(pages: list[Page]) -> None:
    for page in pages:
        for select in page.of("select"):
            options = [one for one in page.of("option") if select in one.inside]
            assert options, page
            if "required" in select.attrs:
                assert options[0].attrs["value"] == "", f"{page}: {select.attrs}"
                assert not [one for one in options if "selected" in one.attrs], page
        for date in page.of("input"):
            assert date.attrs.get("type") != "date" or "maxlength" not in date.attrs, page


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(pages: list[Page]) -> None:
    for page in pages:
        assert page.of("style", "iframe", "object", "embed") == [], page
        for element in page.elements:
            assert "style" not in element.attrs, f"{page}: {element}"
            assert not [name for name in element.attrs if name.startswith("on")], page
            if element.tag == "script":
                assert element.attrs["src"].startswith("/static/"), page
                assert element.text.strip() == "", page
            for name in ("src", "action"):
                address = urlsplit(element.attrs.get(name, ""))
                assert (address.scheme, address.netloc) == ("", ""), page
        assert all(address.startswith(OURS) for address in page.fetched()), page
        for link in page.of("link"):
            address = urlsplit(link.attrs["href"])
            named_only = link.attrs["rel"] in ("canonical", "linkset")  # not fetched
            own = address.scheme in ("", "data") and not address.netloc
            assert named_only or own, page


def test_whatever_changes_something_carries_the_form_token(pages: list[Page]) -> None:
    for page in pages:
        for form in page.of("form"):
            inside = [e for e in page.of("input") if form in e.inside]
            has_token = any(e.attrs.get("name") == "form_token" for e in inside)
            if form.attrs.get("action") == "/report":  # a shopper's: there is no cookie
                continue
            assert has_token == (form.attrs.get("method") == "post"), f"{page}: {form.attrs}"


def test_no_page_is_heavy(pages: list[Page]) -> None:
    for page in pages:
        weight = len(page.html.encode()) + sum(
            (STATIC / urlsplit(address).path.removeprefix("/static/")).stat().st_size
            for address in page.fetched()
            if address.startswith("/static/")
        )
        most = CONSUMER_BYTES if page.path.startswith("/t/") else FIRST_SCREEN_BYTES
        assert weight <= most, f"{page}: {weight}"


def test_no_vietnamese_is_left_on_an_english_page(pages: list[Page]) -> None:
    sources = set()
    for file in (PLATFORM / "translations" / "en").glob("*.po"):
        with file.open("rb") as source:
            sources |= {str(one.id) for one in read_po(source) if one.id and one.id != one.string}
    # What the cooperative itself wrote stays as it is; a language is named in itself.
    own = {"Miến dong", "Rau cải", "hợp tác xã", "Tiếng Việt"}
    for page in pages:
        if page.language == "en":
            assert set(page.texts) & sources <= own, page


def test_no_page_promises_too_much(pages: list[Page]) -> None:
    for page in pages:
        text = " ".join(page.texts).lower()
        for word in ("hàng thật", "chính hãng", "an toàn tuyệt đối", "blockchain", "genuine"):
            assert word not in text, f"{page}: {word}"
        for word in ("bạn", "lỗi hệ thống", "thao tác không hợp lệ"):
            assert not re.search(rf"\b{word}\b", text), f"{page}: {word}"


# --- colours --------------------------------------------------------------------------------

INK_ON_PAPER = [
    *((ink, paper) for ink in ("ink", "quiet") for paper in ("paper", "card")),
    *(("ink", paper) for paper in ("leaf", "sun", "rose", "fog")),
    *(("green", paper) for paper in ("paper", "card", "leaf", "sun", "rose", "fog")),
    *(("amber", "sun"), ("amber", "card"), ("red", "rose"), ("red", "card"), ("red", "paper")),
    *(("grey", "fog"), ("grey", "card"), ("water", "card"), ("on-green", "green")),
    *(("card", "red"), ("card", "water"), ("violet", "card"), ("quiet", "fog")),
]


def palettes() -> list[dict[str, str]]:
    """The colours of the style sheet, light and dark."""
    sheet = (STATIC / "nongso.css").read_text()
    found = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))
        for block in re.findall(r":root {(.*?)}", sheet, re.DOTALL)
    ]
    assert [len(one) >= 15 for one in found] == [True, True]
    return found


def brightness(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("ink", "paper"), INK_ON_PAPER)
def test_letters_stand_out_in_light_and_dark(ink: str, paper: str) -> None:
    for palette in palettes():
        one, other = sorted(brightness(palette[name]) for name in (ink, paper))
        assert (other + 0.05) / (one + 0.05) >= 4.5
