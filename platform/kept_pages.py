"""Finished pages that are the same for everybody, kept in the server's memory.

How this works. A view says of its answer that everybody gets the same (``same_for_everybody``).
The server then keeps the answer as it went out, whole, under what was asked and the headers on
which it may depend, and gives it to the next who asks the same: in the loop that speaks HTTP,
before any thread and before Flask. A request that carries a cookie or a log-in is never answered
from here, and an answer that sets a cookie, or that no cache may keep, never comes in here.

A kept page is good while nobody has written anything that a page could tell (``Watch.news``),
and a minute at most. Whoever asks for a page that is not there, or not good any more, has it
made; who asks for the same meanwhile waits for that one, so that a busy page is made once and not
thirty times. Where nothing was written and only the time is over nobody else waits: they get the
old one while the new one is made. Of addresses whose answers are not kept (a single pack's page)
that is remembered, so that nobody waits for somebody else's.

Not here: HTTP, and what to do while the database is away.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flask import request

MOST_BYTES = 64 * 1024 * 1024
MOST_PAGE_BYTES = 512 * 1024
GOOD_SECONDS = 60.0
MOST_NOT_KEPT = 20_000  # addresses of which it is remembered that their answers are not kept
LOOK_SECONDS = 0.1  # how often others' writing is looked for while pages are given out
MARK = "nongso.same_for_everybody"

# What an answer may depend on. Of the headers that name who asks, none may be there at all.
_TOLD_BY = frozenset(
    (
        b"accept",
        b"accept-encoding",
        b"host",
        b"if-none-match",
        b"sec-fetch-site",
        b"x-forwarded-proto",
    )
)
_VARY = frozenset(("accept", "accept-encoding", "cookie"))
_NEVER_WITH = frozenset(
    (
        b"authorization",
        b"content-length",
        b"cookie",
        b"if-match",
        b"if-modified-since",
        b"if-range",
        b"if-unmodified-since",
        b"range",
        b"transfer-encoding",
    )
)
_KEPT_STATUSES = (200, 304)

Key = tuple[bytes, ...]
Headers = list[tuple[bytes, bytes]]


def same_for_everybody() -> None:
    """Say in a view that its answer depends on nothing but the address and ``Accept``."""
    request.environ[MARK] = True


def may_keep(environ: dict[str, Any], status: int, headers: Iterable[tuple[str, str]]) -> bool:
    """Say whether an answer as it will go out may be kept; names of headers in small letters."""
    if MARK not in environ or status not in _KEPT_STATUSES:
        return False
    told = [(name, value.lower()) for name, value in headers]
    vary = {one.strip() for name, value in told if name == "vary" for one in value.split(",")}
    return vary <= _VARY and not any(name == "set-cookie" for name, _value in told)


def key_of(scope: Any) -> Key | None:
    """Return under what an answer would be kept; ``None`` where none may be."""
    if scope["method"] != "GET":
        return None
    told = [scope["raw_path"], scope["query_string"]]
    for name, value in scope["headers"]:
        if name in _TOLD_BY:
            told += (name, value)
        elif name in _NEVER_WITH:
            return None
    return tuple(told)


@dataclass(slots=True)
class Page:
    """A finished answer."""

    status: int
    headers: Headers
    body: bytes
    news: int  # as it stood before the page was made
    until: float


@dataclass(slots=True, eq=False)
class Making:
    """A page that somebody has made now."""

    news: int  # as it stood when it was begun
    done: asyncio.Event
    page: Page | None = None


class KeptPages:
    """The memory of one server. Used by its event loop alone, ``look`` excepted.

    ``news`` tells how often something was written that pages tell; ``look`` sees to it that
    other processes' writing is among it, and may take its time.
    """

    def __init__(
        self,
        news: Callable[[], int],
        look: Callable[[], object],
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._news = news
        self._look = look
        self._most_bytes = most_bytes
        self._bytes = 0
        self._pages: OrderedDict[Key, Page] = OrderedDict()
        self._making: dict[Key, Making] = {}
        self._not_kept: dict[int, None] = {}  # hashes of keys, in the order in which they came
        self._look_at = 0.0

    def find(self, key: Key) -> Page | None:
        """Return the page if it is still good."""
        page = self._pages.get(key)
        if page is None or page.news != self._news() or time.monotonic() >= page.until:
            return None
        self._pages.move_to_end(key)
        return page

    def look_due(self) -> Callable[[], object] | None:
        """Return what looks for others' writing, when that is due; to be called in a thread."""
        now = time.monotonic()
        if now < self._look_at:
            return None
        self._look_at = now + LOOK_SECONDS
        return self._look

    async def being_made(self, key: Key) -> Page | None:
        """Wait for somebody else who has this very page made now, if there is one.

        A page of which only the time is over is given out meanwhile, for as long again.
        """
        making, news = self._making.get(key), self._news()
        if making is None or making.news != news:
            return None
        old = self._pages.get(key)
        if old is not None and old.news == news and time.monotonic() < old.until + GOOD_SECONDS:
            return old
        await making.done.wait()
        return making.page

    def begin(self, key: Key) -> Making:
        """Note that a page will be made; return what ``end`` is told with it."""
        making = Making(self._news(), asyncio.Event())
        if hash(key) not in self._not_kept:
            self._making[key] = making
        return making

    def end(self, key: Key, making: Making, answer: tuple[int, Headers, bytes] | None) -> None:
        """Keep the answer that was made, unless it is none to be kept."""
        page = None
        if answer is not None and len(answer[2]) < MOST_PAGE_BYTES:
            page = Page(*answer, making.news, time.monotonic() + GOOD_SECONDS)
        self._forget(key)
        if page is not None:
            self._pages[key] = page
            self._bytes += _size(key, page)
            while self._bytes > self._most_bytes:
                self._forget(next(iter(self._pages)))
        self._remember(key, page is not None)
        if self._making.get(key) is making:
            del self._making[key]
        making.page = page
        making.done.set()

    def _remember(self, key: Key, is_kept: bool) -> None:
        self._not_kept.pop(hash(key), None)
        if is_kept:
            return
        self._not_kept[hash(key)] = None
        if len(self._not_kept) > MOST_NOT_KEPT:
            del self._not_kept[next(iter(self._not_kept))]

    def _forget(self, key: Key) -> None:
        page = self._pages.pop(key, None)
        if page is not None:
            self._bytes -= _size(key, page)


def _size(key: Iterable[bytes], page: Page) -> int:
    told = sum(map(len, key)) + sum(len(name) + len(value) for name, value in page.headers)
    return 1000 + told + len(page.body)
