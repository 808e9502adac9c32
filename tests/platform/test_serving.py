"""What the server answers by itself is as careful as its pages; who waits keeps nobody waiting."""

import http.client
import json
import queue
import socket
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from office import Place, open_place
from test_server import fails, free_port, running, write

from nongso.platform import listening, migrations, serving
from nongso.platform import settings as settings_of
from nongso.platform.app import HEADERS, own_headers
from nongso.platform.greenhouse import commands
from nongso.platform.settings import Settings

HOST = b"Host: localhost\r\n"


@contextmanager
def served(place: Place, **other: Any) -> Iterator[int]:
    """The application in a thread, served as ``nongso platform run`` does it."""
    sockets = listening.listen("127.0.0.1", 0)
    port = int(sockets[0].getsockname()[1])
    settings = {"threads": 13, "most_body": 20_000} | other
    server = serving.Server(place.app, sockets, own_headers(place.settings), **settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield port
    finally:
        place.app.extensions["nongso.bell"].close()
        server.end()
        thread.join()


@pytest.fixture
def port(place: Place) -> Iterator[int]:
    with served(place) as found:
        yield found


def exchange(port: int, sent: bytes, *, and_close: bool = False) -> tuple[int, dict[str, str]]:
    """Send bytes as they are; return status and headers of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(sent)
        if and_close:
            line.shutdown(socket.SHUT_WR)
        heard = b""
        while b"\r\n\r\n" not in heard:
            piece = line.recv(65536)
            if not piece:
                break
            heard += piece
    assert heard, "hung up without a word"
    first, *lines = heard.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = dict(one.split(": ", 1) for one in lines)
    return int(first.split()[1]), {name.lower(): value for name, value in headers.items()}


def check_headers(headers: dict[str, str]) -> None:
    for name, value in HEADERS.items():
        assert headers.get(name.lower()) == value, name
    assert headers["cache-control"]
    assert "server" not in headers


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"rubbish\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon here\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: minus one\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS at a plain door
        (b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 300_000 + b"\r\n\r\n", 431),
        (b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: 30000\r\n\r\n", 413),
        (
            b"POST /login HTTP/1.1\r\n"
            + HOST
            + b"Transfer-Encoding: chunked\r\n\r\n7000\r\n"
            + b"x" * 0x7000
            + b"\r\n0\r\n\r\n",
            413,
        ),
        (
            b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
            400,
        ),
    ],
)
def test_what_never_reaches_a_page_is_answered_with_the_same_care(
    port: int, sent: bytes, status: int
) -> None:
    found, headers = exchange(port, sent)
    assert found == status
    check_headers(headers)


def test_an_escaped_slash_in_an_address_arrives_as_it_was_sent(port: int) -> None:
    for path, status in (("a%2Fb?17=271130", 404), ("a/b", 400), ("a%2Fb?17=271131", 400)):
        sent = f"GET /01/09524000059109/10/{path} HTTP/1.1\r\n".encode() + HOST
        assert exchange(port, sent + b"Connection: close\r\n\r\n")[0] == status, path


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/login", "GET", 200),
        ("/nowhere", "GET", 404),
        ("/login", "DELETE", 405),
        ("/login", "OPTIONS", 200),
        ("/records", "GET", 308),
        ("/greenhouses", "GET", 303),
        ("/api/v1/greenhouses", "GET", 401),
        ("/api/v1/stop", "POST", 401),
        ("/fails", "GET", 500),
        ("/static/nongso.css", "GET", 200),
        ("/static/none.css", "GET", 404),
        ("/%ff%fe", "GET", 404),
        ("/login", "HEAD", 200),
    ],
)
def test_every_answer_of_the_application_carries_the_headers(
    place: Place, path: str, method: str, status: int
) -> None:
    from nongso.platform.accounts import public

    def fail() -> str:
        raise KeyError("a mistake of ours")

    place.app.add_url_rule("/fails", "fails", public(fail))
    with served(place) as port:
        request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
        found, headers = exchange(port, request.encode())
    assert found == status
    check_headers(headers)


@pytest.mark.parametrize("sent", [b"GET / HTT", b"GET / HTTP/1.1\r\nX-Slow: "])
def test_who_dribbles_a_request_is_told_and_hung_up_on(
    place: Place, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HEADER_SECONDS", 0.2)
    with served(place) as port:
        found, headers = exchange(port, sent)
    assert found == 408
    assert headers["connection"] == "close"
    check_headers(headers)


def test_a_body_that_never_ends_is_told_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "REQUEST_SECONDS", 0.2)
    with served(place) as port:
        head = b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\nuser="
        found, headers = exchange(port, head)
    assert found == 408
    check_headers(headers)


def test_over_tls_the_server_s_own_answers_say_so_too(settings: Settings) -> None:
    from dataclasses import replace

    made = own_headers(replace(settings, url="https://nongso.example"))
    assert made["Strict-Transport-Security"].startswith("max-age=")


# --- who waits ---------------------------------------------------------------------------------


def test_a_shopper_waits_for_none_of_the_wishes_of_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """36 people press at once and the gateway does not answer: pages go out meanwhile."""
    monkeypatch.setattr(commands, "ANSWER_SECONDS", 600.0)
    place = open_place(settings)
    place.configure()
    place.poll()
    finished: queue.Queue[str] = queue.Queue()

    def wish(port: int) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/zones/tan-binh-1-k1/water",
            json.dumps({"id": str(uuid.uuid4()), "seconds": 20}).encode(),
            {"Authorization": "Bearer " + place.tokens["farmer"]},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 202
            assert b"sent" in answer.read()
        finished.put("wish")

    with served(place) as port:
        threads = [threading.Thread(target=wish, args=(port,)) for _ in range(36)]
        for thread in threads:
            thread.start()
        told = [finished.get(timeout=60) for _ in range(30)]  # told at once that it was sent
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/login", timeout=60) as page:
            assert page.status == 200
        finished.put("page")
        place.app.extensions["nongso.bell"].close()  # those who wait are let go
        for thread in threads:
            thread.join()
    rest = [finished.get() for _ in range(finished.qsize())]
    assert told == ["wish"] * 30
    # Who still waited is let go only after the page went out; a few were told at once before it.
    assert len(rest) - 1 - rest.index("page") >= 2
    assert len(rest) - 1 <= 6
    place.close()


def test_a_stop_is_waited_for_although_wishes_take_every_place(
    place: Place,
) -> None:
    bell = place.app.extensions["nongso.bell"]
    for places in bell.wishes:
        while places.acquire(blocking=False):
            pass
    assert bell.wait_for(lambda: None, 60.0, bell.wishes) is None  # at once
    found = threading.Event()
    looked = threading.Event()

    def look() -> bool | None:
        looked.set()
        return True if found.is_set() else None

    answers: list[bool | None] = []
    waiter = threading.Thread(target=lambda: answers.append(bell.wait_for(look, 60, bell.stops)))
    waiter.start()
    assert looked.wait(30)
    found.set()
    bell.ring()
    waiter.join()
    assert answers == [True]


# --- where it listens --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("no-such-host.invalid", "there is no such host name"),
        ("a" * 70 + ".example", "there is no such host name"),
        ("203.0.113.7", "This machine has no such address"),
        ("2001:db8::7", "no such address"),
    ],
)
def test_a_host_that_is_none_is_named_as_the_reason(host: str, words: str) -> None:
    with pytest.raises(listening.ListenError, match=words) as said:
        listening.listen(host, 0)
    assert host in str(said.value)
    assert "uses this port" not in str(said.value)


def test_a_server_that_cannot_listen_says_why(tmp_path: Path) -> None:
    file = write(tmp_path, host="203.0.113.7")
    migrations.upgrade(settings_of.load(file))
    said = fails(file)
    assert "Cannot listen on 203.0.113.7" in said
    assert "This machine has no such address" in said


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_all_addresses_are_those_of_both_kinds(tmp_path: Path) -> None:
    file = write(tmp_path, host="::")
    migrations.upgrade(settings_of.load(file))
    with running(file) as url:
        port = url.rsplit(":", 1)[1]
        for host in ("127.0.0.1", "[::1]"):
            with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=10) as answer:
                assert answer.status == 200


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_port_that_is_taken_on_one_kind_of_address_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(listening.ListenError, match="Another program uses this port"):
            listening.listen("::", port)
        with socket.socket(socket.AF_INET6) as left:  # nothing of the half-way stays open
            left.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            left.bind(("::", port))


# --- who sends or fetches slowly ---------------------------------------------------------------


@contextmanager
def serving_only(application: Any, **other: Any) -> Iterator[int]:
    """Another application behind the same end of the wire."""
    sockets = listening.listen("127.0.0.1", 0)
    settings = {"threads": 2, "most_body": 2_000_000} | other
    server = serving.Server(application, sockets, {}, **settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield int(sockets[0].getsockname()[1])
    finally:
        server.end()
        thread.join()


def say(environ: dict[str, Any], start: Any, body: bytes) -> list[bytes]:
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def test_forty_thin_lines_hold_up_nobody() -> None:
    """Uploads that stand still, and a large answer that nobody fetches."""
    large = b"x" * 3_000_000

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        return say(environ, start, large if environ["PATH_INFO"] == "/large" else b"here")

    with serving_only(application) as port:
        lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
        try:
            for n, line in enumerate(lines):
                if n % 2:
                    line.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\nabc")
                else:
                    line.sendall(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
            for method in ("GET", "POST"):
                url = urllib.request.Request(f"http://127.0.0.1:{port}/", method=method)
                with urllib.request.urlopen(url, timeout=30) as answer:
                    assert answer.read() == b"here"
        finally:
            for line in lines:
                line.close()


def test_who_waits_for_something_keeps_nobody_from_looking() -> None:
    let_go = threading.Event()

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        if "wait=" in environ["QUERY_STRING"] or environ["REQUEST_METHOD"] == "POST":
            let_go.wait(60)
        return say(environ, start, b"here")

    def ask(port: int, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return bytes(answer.read())

    with serving_only(application) as port:
        waiting = [threading.Thread(target=ask, args=(port, "/?wait=9")) for _ in range(8)]
        for thread in waiting:
            thread.start()
        try:
            assert ask(port, "/") == b"here"
        finally:
            let_go.set()
            for thread in waiting:
                thread.join()


@pytest.mark.parametrize("size", [0, 1, 700_000])
def test_a_body_arrives_whole_however_it_was_sent(size: int) -> None:
    body = bytes(n % 251 for n in range(size))

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        heard = environ["wsgi.input"].read()
        assert environ["CONTENT_LENGTH"] == str(len(heard))
        return say(environ, start, heard)

    pieces = [body[at : at + 65_000] for at in range(0, size, 65_000)]
    chunks = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n"
    for sent in (
        head + f"Content-Length: {size}\r\n\r\n".encode() + body,
        head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n",
    ):
        with (
            serving_only(application) as port,
            socket.create_connection(("127.0.0.1", port)) as line,
        ):
            line.sendall(sent)
            heard = b""
            while piece := line.recv(1 << 20):
                heard += piece
        assert heard.partition(b"\r\n\r\n")[2] == body


def test_an_answer_too_large_for_memory_goes_out_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_ANSWER_IN_MEMORY", 1000)
    monkeypatch.setattr(serving, "PIECE", 999)
    pieces = [bytes([n % 256]) * 37 for n in range(500)]
    closed = threading.Event()

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            return iter(pieces)

        def close(self) -> None:
            closed.set()

    def application(environ: dict[str, Any], start: Any) -> Pieces:
        start("200 OK", [("Content-Type", "text/plain")])
        return Pieces()

    with (
        serving_only(application) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer,
    ):
        assert answer.read() == b"".join(pieces)
    assert closed.is_set()


@pytest.mark.parametrize(
    ("proxy", "who", "scheme"), [("127.0.0.1", "203.0.113.9", "https"), ("", "127.0.0.1", "http")]
)
def test_only_the_proxy_is_believed_about_who_asks(proxy: str, who: str, scheme: str) -> None:
    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        assert "HTTP_X_FORWARDED_FOR" not in environ
        assert "HTTP_REMOTE_ADDR" not in environ
        said = f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']} {environ['HTTP_COOKIE']}"
        return say(environ, start, said.encode())

    headers = {
        "X-Forwarded-For": "198.51.100.1, 203.0.113.9",
        "X-Forwarded-Proto": "https",
        "Remote_Addr": "1.2.3.4",
        "Cookie": "a=1",
    }
    with serving_only(application, proxy=proxy) as port:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.read() == f"{who} {scheme} a=1".encode()


def test_a_mistake_of_the_application_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        raise KeyError("a mistake of ours")

    with serving_only(application) as port:
        found, _ = exchange(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    assert found == 500
    assert "a mistake of ours" in caplog.text


@pytest.mark.parametrize(
    ("status", "method", "length"),
    [
        ("200 OK", "GET", "0"),
        ("204 No Content", "GET", None),
        ("304 Not Modified", "GET", None),
        ("200 OK", "HEAD", None),
    ],
)
def test_an_answer_without_a_body_tells_no_length_and_one_date(
    status: str, method: str, length: str | None
) -> None:
    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        start(status, [("Date", "Sun, 22 Nov 2026 08:00:00 GMT"), ("ETag", '"x"')])
        return []

    with serving_only(application) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request(method, "/")
        answer = connection.getresponse()
        assert answer.getheader("Content-Length") == length
        assert len(answer.headers.get_all("Date") or []) == 1
        connection.close()
