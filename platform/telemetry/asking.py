"""Asks an engine over HTTP: one kept connection a thread, a time limit, errors with our names."""

import base64
import http.client
import json
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

from nongso.platform.telemetry.address import Address
from nongso.platform.telemetry.interface import TelemetryAway

SECONDS = 30.0


class Refused(TelemetryAway):
    """The engine answered 4xx: asking again will not help."""


def tags_of(found: Any) -> dict[str, str]:
    """Return what an answer names a series by. Raises ``ValueError``."""
    if not isinstance(found, dict) or not all(isinstance(word, str) for word in found.values()):
        raise ValueError("no tags")
    return found


def numbers_of(found: Any) -> list[Any]:
    """Return numbers of an answer, with gaps. Raises ``ValueError``."""
    if not all(one is None or isinstance(one, int | float) for one in found):
        raise ValueError("no numbers")
    return list(found)


class Asker:
    """Sends queries. Safe for many threads."""

    def __init__(self, address: Address, seconds: float = SECONDS) -> None:
        self.name = f"{address.kind} at {address.url}"
        parts = urlsplit(address.url)
        self._host, self._port = parts.hostname or "", parts.port
        self._tls = parts.scheme == "https"
        self._seconds = seconds
        self.answers = 0  # how often the engine answered as it should
        self._local = threading.local()
        self._all: list[http.client.HTTPConnection] = []
        self._headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if address.user:
            both = base64.b64encode(f"{address.user}:{address.token}".encode()).decode()
            self._headers["Authorization"] = f"Basic {both}"
        elif address.token and address.kind == "influxdb":
            self._headers["Authorization"] = f"Token {address.token}"
        elif address.token:
            self._headers["Authorization"] = f"Bearer {address.token}"

    def get(self, path: str) -> str:
        """Fetch a text."""
        return self._ask("GET", path, None).decode(errors="replace")

    def post(self, path: str, fields: Iterable[tuple[str, str]]) -> bytes:
        """Send a query as a form; long lists of series do not fit into an address."""
        return self._ask("POST", path, urlencode(list(fields)).encode())

    def json(self, path: str, fields: Iterable[tuple[str, str]]) -> Any:
        """Send a query and decode the answer."""
        return self.decoded(path, self.post(path, fields))

    def decoded(self, path: str, answer: bytes) -> Any:
        """Decode an answer, or a line of one."""
        try:
            return json.loads(answer)
        except (ValueError, RecursionError) as error:
            raise TelemetryAway(f"{self.name} answered {path} with no JSON") from error

    @contextmanager
    def understanding(self) -> Iterator[None]:
        """Within this an answer is taken apart; one of another shape is told as a sentence."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise TelemetryAway(
                f"{self.name} answered in a shape that is not its own; is it another service?"
            ) from error

    def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        for is_last in (False, True):  # a kept connection may have been closed meanwhile
            connection, was_used = self._connection()
            try:
                connection.request(method, path, body, self._headers)
                answer = connection.getresponse()
                found = answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._local.connection = None
                if was_used and not is_last and not isinstance(error, TimeoutError):
                    continue
                said = str(error) or type(error).__name__
                raise TelemetryAway(f"{self.name} cannot be reached: {said}") from error
            if answer.status < 300:
                self.answers += 1
                return found
            said = " ".join(found.decode(errors="replace").split())[:300]
            if answer.status in (401, 403):
                raise TelemetryAway(f"{self.name} refuses our token or password: {said}")
            if answer.status in (408, 429) or answer.status >= 500:
                raise TelemetryAway(f"{self.name} answered {answer.status}: {said}")
            raise Refused(f"{self.name} answered {answer.status}: {said}")
        raise AssertionError

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        kept: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if kept is not None:
            return kept, True
        made: http.client.HTTPConnection
        if self._tls:
            made = http.client.HTTPSConnection(
                self._host,
                self._port,
                timeout=self._seconds,
                context=ssl.create_default_context(),
            )
        else:
            made = http.client.HTTPConnection(self._host, self._port, timeout=self._seconds)
        self._local.connection = made
        self._all.append(made)
        return made, False

    def close(self) -> None:
        """Close every connection."""
        for connection in self._all:
            connection.close()
