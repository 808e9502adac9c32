"""The door to the platform: one kept-alive HTTP(S) connection for one thread.

Certificates are checked when the address says https. A redirect is never followed: a captive
portal answers with one, and rows or the key must not go there.
"""

import gzip
import http.client
import json
import socket
import ssl
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from nongso.gateway.errors import PlatformRefused, PlatformSilent, SettingsError
from nongso.gateway.settings import Platform

CONNECT_SECONDS = 10.0
MOST_ANSWER_BYTES = 1 << 20
_ADVICE = {
    401: "the platform does not know this gateway's key; put the key it shows into gateway.json",
    403: "this key belongs to another gateway; check gateway and platform.key in gateway.json",
    404: "there is no nongso platform at this address; check platform.url in gateway.json",
    413: "the platform finds the batch too large",
    503: "the platform cannot write now",
}


class PlatformLink:
    """Asks the platform one thing at a time; ``hang_up``, from another thread, ends it."""

    def __init__(self, platform: Platform, answer_seconds: float) -> None:
        url = urlsplit(platform.url)
        self._host = url.hostname or ""
        self._port = url.port
        self._prefix = url.path.rstrip("/")
        self._answer_seconds = answer_seconds
        self._headers = {
            "Authorization": f"Bearer {platform.key}",
            "Accept": "application/json",
            "User-Agent": "nongso-gateway",
        }
        self._context: ssl.SSLContext | None = None
        if url.scheme == "https":
            try:
                self._context = ssl.create_default_context(cafile=platform.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise SettingsError(
                    f"platform.ca_file {platform.ca_file} cannot be read: {error}"
                ) from None
        self._connection: http.client.HTTPConnection | None = None
        self._is_hung_up = False

    def post(self, path: str, body: bytes) -> dict[str, Any]:
        """Send JSON, gzipped."""
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        return self._ask("POST", path, gzip.compress(body, 6, mtime=0), headers)

    def get(self, path: str) -> dict[str, Any]:
        """Fetch JSON."""
        return self._ask("GET", path, None, {})

    def hang_up(self) -> None:
        """End for good, waking a thread that waits for an answer."""
        self._is_hung_up = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection from its own thread."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> dict[str, Any]:
        """Raises ``PlatformSilent`` or ``PlatformRefused``."""
        kept_alive = self._connection is not None and self._connection.sock is not None
        try:
            try:
                status, retry, answer = self._exchange(method, path, body, headers)
            except (http.client.RemoteDisconnected, ConnectionError):
                if not kept_alive or self._is_hung_up:
                    raise
                self.close()  # the server had ended the idle connection: once more, on a new one
                status, retry, answer = self._exchange(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise PlatformSilent(f"{type(error).__name__}: {error}") from error
        if status != 200:
            advice = _ADVICE.get(status, "the platform does not take it")
            if 300 <= status < 400:
                advice = "a redirect is not followed; is there a captive portal in between?"
            raise PlatformRefused(status, advice, retry)
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError):  # no JSON, or nested too deeply
            found = None
        if not isinstance(found, dict):
            raise PlatformRefused(status, "the answer is not the platform's; a portal in between?")
        return found

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, float | None, bytes]:
        connection = self._connection
        if connection is None or connection.sock is None:
            connection = self._connection = self._connect()
        connection.request(method, self._prefix + path, body, {**self._headers, **headers})
        response = connection.getresponse()
        answer = response.read(MOST_ANSWER_BYTES + 1)
        if len(answer) > MOST_ANSWER_BYTES:
            raise http.client.HTTPException(f"an answer of more than {MOST_ANSWER_BYTES} bytes")
        if response.will_close:
            self.close()
        return response.status, _seconds(response.getheader("Retry-After")), answer

    def _connect(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if self._context is not None:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=CONNECT_SECONDS, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(
                self._host, self._port, timeout=CONNECT_SECONDS
            )
        connection.connect()
        connection.sock.settimeout(self._answer_seconds)
        return connection


def _seconds(text: str | None) -> float | None:
    """Read ``Retry-After`` in seconds; its other form, a date, is left to the back-off."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
