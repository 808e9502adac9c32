"""What the server answers by itself is as careful as its pages; who waits keeps nobody waiting."""

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
from waitress import wasyncore  # type: ignore[import-untyped]

from nongso.platform import migrations, serving
from nongso.platform import settings as settings_of
from nongso.platform.app import HEADERS, own_headers
from nongso.platform.greenhouse import commands
from nongso.platform.settings import Settings

HOST = b"Host: localhost\r\n"


@contextmanager
def served(place: Place, **other: Any) -> Iterator[int]:
    """The application under waitress, in a thread, as ``nongso platform run`` puts it there."""
    sockets = serving.listen("127.0.0.1", 0)
    port = int(sockets[0].getsockname()[1])
    settings = {"threads": 13, "max_request_body_size": 20_000, "ident": None} | other
    server = serving.create_server(place.app, sockets, own_headers(place.settings), **settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield port
    finally:
        place.app.extensions["nongso.bell"].close()
        server.task_dispatcher.shutdown()
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map, ignore_all=True))
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
        (b"POST /login HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
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
    with pytest.raises(serving.ListenError, match=words) as said:
        serving.listen(host, 0)
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
        with pytest.raises(serving.ListenError, match="Another program uses this port"):
            serving.listen("::", port)
        with socket.socket(socket.AF_INET6) as left:  # nothing of the half-way stays open
            left.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            left.bind(("::", port))
