"""Pages that everybody gets alike come from memory: never an old one, never a person's."""

import asyncio
from typing import Any

import pytest

from nongso.platform import kept_pages
from nongso.platform.kept_pages import KeptPages

HTML = (200, [(b"content-type", b"text/html")], b"Mi\xe1\xba\xbfn dong")


class Writing:
    """A database that is written to now and then."""

    def __init__(self) -> None:
        self.news = 1
        self.looks = 0

    def look(self) -> None:
        self.looks += 1


def scope(*headers: tuple[bytes, bytes], method: str = "GET", query: bytes = b"") -> Any:
    told = {"method": method, "raw_path": b"/t/2YC5PC", "query_string": query}
    return {**told, "headers": [(b"host", b"truyxuat.example"), *headers]}


def key(*headers: tuple[bytes, bytes], query: bytes = b"") -> kept_pages.Key:
    found = kept_pages.key_of(scope(*headers, query=query))
    assert found is not None
    return found


@pytest.fixture
def writing() -> Writing:
    return Writing()


@pytest.fixture
def pages(writing: Writing) -> KeptPages:
    return KeptPages(lambda: writing.news, writing.look, most_bytes=10_000)


def keep(pages: KeptPages, one: kept_pages.Key, body: bytes = HTML[2]) -> None:
    pages.end(one, pages.begin(one), (200, HTML[1], body))


def test_a_page_is_given_out_until_something_is_written(
    pages: KeptPages, writing: Writing
) -> None:
    keep(pages, key())
    found = pages.find(key())
    assert found is not None
    assert (found.status, found.headers, found.body) == HTML
    writing.news += 1
    assert pages.find(key()) is None


def test_what_was_written_while_a_page_was_made_is_not_in_it(
    pages: KeptPages, writing: Writing
) -> None:
    making = pages.begin(key())
    writing.news += 1
    pages.end(key(), making, HTML)
    assert pages.find(key()) is None


@pytest.mark.parametrize(
    "header",
    [
        (b"accept", b"application/linkset+json"),
        (b"accept-encoding", b"gzip"),
        (b"if-none-match", b'"x"'),
        (b"sec-fetch-site", b"cross-site"),
    ],
)
def test_another_wish_is_another_page(pages: KeptPages, header: tuple[bytes, bytes]) -> None:
    keep(pages, key())
    assert pages.find(key(header)) is None
    assert pages.find(key(query=b"lang=en")) is None


@pytest.mark.parametrize(
    "name", [b"cookie", b"authorization", b"range", b"content-length", b"if-modified-since"]
)
def test_who_brings_a_cookie_or_a_log_in_gets_nothing_from_memory(name: bytes) -> None:
    assert kept_pages.key_of(scope((name, b"1"))) is None
    assert kept_pages.key_of(scope(method="POST")) is None
    assert kept_pages.key_of(scope(method="HEAD")) is None


@pytest.mark.parametrize(
    ("status", "header", "kept"),
    [
        (200, ("vary", "Accept, Cookie, Accept-Encoding"), True),
        (304, ("etag", '"x"'), True),
        (404, ("etag", '"x"'), False),
        (303, ("location", "/"), False),
        (200, ("set-cookie", "nongso_visit=1"), False),
        (200, ("vary", "Accept-Language"), False),
        (200, ("vary", "*"), False),
    ],
)
def test_only_finished_pages_without_cookies_are_kept(
    status: int, header: tuple[str, str], kept: bool
) -> None:
    assert kept_pages.may_keep({kept_pages.MARK: True}, status, [header]) is kept
    assert not kept_pages.may_keep({}, status, [header])


def test_the_memory_stays_within_its_bounds_and_forgets_who_is_asked_for_least(
    pages: KeptPages,
) -> None:
    names = [f"a={n}".encode() for n in range(20)]
    for name in names:
        keep(pages, key(query=name), b"x" * 1000)
        assert pages.find(key(query=names[0])) is not None  # asked for all the time
    assert pages.find(key(query=names[1])) is None
    assert pages.find(key(query=names[-1])) is not None
    keep(pages, key(), b"x" * (kept_pages.MOST_PAGE_BYTES + 1))
    assert pages.find(key()) is None


@pytest.mark.parametrize("was_there", [False, True])
def test_a_page_that_many_want_at_once_is_made_once(
    pages: KeptPages, writing: Writing, was_there: bool
) -> None:
    async def many() -> None:
        if was_there:
            keep(pages, key())
            writing.news += 1
        making = pages.begin(key())
        waiting = [asyncio.create_task(pages.being_made(key())) for _ in range(30)]
        await asyncio.sleep(0)
        assert not any(one.done() for one in waiting)
        pages.end(key(), making, (200, HTML[1], b"new"))
        assert [page.body for page in await asyncio.gather(*waiting) if page] == [b"new"] * 30

    asyncio.run(many())


def test_a_page_that_is_only_a_little_old_is_given_out_while_the_new_one_is_made(
    pages: KeptPages, writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def one() -> None:
        keep(pages, key())
        now = kept_pages.time.monotonic()
        monkeypatch.setattr(kept_pages.time, "monotonic", lambda: now + kept_pages.GOOD_SECONDS)
        assert pages.find(key()) is None
        pages.begin(key())
        old = await pages.being_made(key())
        assert old is not None
        assert old.body == HTML[2]

    asyncio.run(one())


def test_nobody_waits_for_a_page_that_is_not_kept(pages: KeptPages) -> None:
    async def one() -> None:
        pages.end(key(), pages.begin(key()), None)  # the page of one pack
        pages.begin(key())
        assert await pages.being_made(key()) is None

    asyncio.run(one())


def test_of_many_addresses_that_are_not_kept_only_so_many_are_remembered(
    pages: KeptPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_pages, "MOST_NOT_KEPT", 10)
    for n in range(30):
        one = key(query=str(n).encode())
        pages.end(one, pages.begin(one), None)
    assert len(pages._not_kept) == 10


def test_nobody_waits_for_a_page_that_was_begun_before_the_last_writing(
    pages: KeptPages, writing: Writing
) -> None:
    async def one() -> None:
        keep(pages, key())
        writing.news += 1
        pages.begin(key())
        writing.news += 1
        assert await pages.being_made(key()) is None

    asyncio.run(one())


def test_who_waited_for_a_page_that_came_to_nothing_makes_an_own(
    pages: KeptPages, writing: Writing
) -> None:
    async def one() -> None:
        keep(pages, key())
        writing.news += 1
        making = pages.begin(key())
        waiting = asyncio.create_task(pages.being_made(key()))
        await asyncio.sleep(0)
        pages.end(key(), making, None)
        assert await waiting is None

    asyncio.run(one())


def test_others_writing_is_looked_for_now_and_then_only(
    pages: KeptPages, writing: Writing
) -> None:
    looks = [pages.look_due() for _ in range(100)]
    assert sum(look is not None for look in looks) < 5
    assert looks[0] == writing.look
