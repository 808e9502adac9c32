"""Labels to a printer in the network: real sockets that read slowly, hang up, refuse or stop."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nongso.commands import labels_target
from nongso.commands.__main__ import main
from nongso.labels import network
from nongso.labels.errors import BadPrinter, PrinterFailed
from nongso.labels.network import Address, address, send

PAGES = [(bytes([65 + number]) * 60_000, number + 1) for number in range(20)]


class Listener:
    """A printer of one connection, whose manners are a function of the connected socket."""

    def __init__(self, manners: Callable[[socket.socket], None]) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))
        self._door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self._door.settimeout(20)
        self.where = Address(*self._door.getsockname())
        self._manners = manners
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(TimeoutError):
            line, _ = self._door.accept()
            with line:
                line.settimeout(20)
                self._manners(line)

    def close(self) -> None:
        self._door.close()
        self._thread.join()


@pytest.fixture
def listening() -> Iterator[Callable[[Callable[[socket.socket], None]], Listener]]:
    opened: list[Listener] = []

    def listen(manners: Callable[[socket.socket], None]) -> Listener:
        opened.append(Listener(manners))
        return opened[-1]

    yield listen
    for one in opened:
        one.close()


Listen = Callable[[Callable[[socket.socket], None]], Listener]


def everything(line: socket.socket, into: bytearray, step: int = 65536) -> None:
    while part := line.recv(step):
        into += part


def test_a_printer_that_reads_slowly_gets_every_byte_and_progress_is_told(
    listening: Listen,
) -> None:
    got, told = bytearray(), list[int]()
    printer = listening(lambda line: everything(line, got, step=512))
    sent = send(PAGES, 20, printer.where, told.append)
    printer.close()
    assert (sent.labels, sent.of) == (20, 20)
    assert told == list(range(1, 21))
    assert bytes(got) == b"".join(content for content, _ in PAGES)


def test_what_counts_as_handed_over_has_reached_the_printer(listening: Listen) -> None:
    """At each word of progress the printer's side has acknowledged every byte before it."""
    got, reading = bytearray(), threading.Semaphore(0)

    def manners(line: socket.socket) -> None:
        reading.acquire()
        everything(line, got)

    printer = listening(manners)
    told = list[int]()
    with pytest.raises(PrinterFailed, match=r"has taken nothing for 0\.2 s \(no paper, lid open"):
        send([(bytes(200_000), 1)], 1, printer.where, told.append, stall_seconds=0.2)
    assert told == []
    reading.release()


def test_a_printer_that_hangs_up_in_the_middle_is_named_with_the_label(listening: Listen) -> None:
    def manners(line: socket.socket) -> None:
        left = 150_000
        while left > 0:
            left -= len(line.recv(min(left, 4096)))

    printer = listening(manners)
    with pytest.raises(PrinterFailed, match="hung up in the middle") as failed:
        send(PAGES, 20, printer.where)
    assert failed.value.sent <= 3
    assert f"label {failed.value.sent + 1} was not" in str(failed.value)
    assert "does not say over this connection whether it has paper" in str(failed.value)


def test_a_stop_ends_after_the_label_that_is_on_its_way(listening: Listen) -> None:
    got, told = bytearray(), list[int]()
    printer = listening(lambda line: everything(line, got))
    sent = send(PAGES, 20, printer.where, told.append, stopped=lambda: len(told) == 7)
    printer.close()
    assert sent.labels == 7
    assert bytes(got) == b"".join(content for content, _ in PAGES[:7])


def test_a_printer_that_answers_something_is_not_disturbed(listening: Listen) -> None:
    got = bytearray()

    def manners(line: socket.socket) -> None:
        line.sendall(b"\x02status\x03" * 200)
        everything(line, got)

    printer = listening(manners)
    assert send(PAGES, 20, printer.where).labels == 20
    printer.close()
    assert len(got) == 20 * 60_000


def nobody() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return Address(*door.getsockname())


def test_where_nobody_listens_the_sentence_says_what_it_may_be() -> None:
    with pytest.raises(PrinterFailed, match="refuses printing on port") as failed:
        send(PAGES, 20, nobody())
    assert failed.value.sent == 0
    with pytest.raises(PrinterFailed, match=r"no machine is called 'printer\.invalid'"):
        send(PAGES, 20, Address("printer.invalid"))


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.168.1.50", "192.168.1.50", 9100),
        ("kho.lan:9101", "kho.lan", 9101),
        ("[fe80::1]", "fe80::1", 9100),
        ("[fe80::1]:9100", "fe80::1", 9100),
        ("fe80::1", "fe80::1", 9100),
    ],
)
def test_addresses_of_printers_are_read(text: str, host: str, port: int) -> None:
    assert address(text) == Address(host, port)
    assert address(str(address(text))) == Address(host, port)


@pytest.mark.parametrize(
    "text",
    ["", ":9100", "a:", "a:0", "a:99999", "a:x", "[::1", "[::1]9", "[::1]:", "http://a/b", "máy"],
)
def test_what_is_no_address_of_a_printer_is_said(text: str) -> None:
    with pytest.raises(BadPrinter, match=r"is no printer's address, like 192\.168\.1\.50"):
        address(text)


# --- the whole command ---------------------------------------------------------------------------

ROWS = [f"HTTPS://LO.EXAMPLE/T/{number},Lô {number}" for number in range(1, 31)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    made = tmp_path / "labels.csv"
    made.write_text("\n".join(["url,text", *ROWS]))
    return made


def command(table: Path, where: Address, *more: str) -> list[str]:
    words = ["labels", "sheet", "--csv", str(table), "--layout", "roll-50x30", *more]
    return [*words, "--format", "tspl", "--printer", f"{where.host}:{where.port}"]


def test_the_command_prints_a_table_on_a_network_printer(
    listening: Listen, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import raster_readers as readers

    got = bytearray()
    printer = listening(lambda line: everything(line, got))
    assert main(command(table, printer.where, "--from-row", "20")) == 0
    printer.close()
    said = capsys.readouterr()
    assert "Handed over: labels 12." in said.out
    assert "does not say over this connection whether it has paper" in said.out
    assert said.err.splitlines()[-1] == "12 of 12"
    read = [text for page in readers.tspl(bytes(got)) for text in readers.read(page)]
    assert read == [row.split(",")[0] for row in ROWS[18:]]


def test_after_a_hang_up_the_command_says_in_which_row_to_go_on(
    listening: Listen, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def manners(line: socket.socket) -> None:
        left = 100_000
        while left > 0:
            left -= len(line.recv(min(left, 4096)))

    printer = listening(manners)
    assert main(command(table, printer.where)) == 1
    said = capsys.readouterr().err
    assert "hung up in the middle" in said
    sent = int(said.split(" of 30 labels were handed over")[0].split()[-1])
    assert f"The next one stands in row {sent + 2}: --from-row {sent + 2}." in said


def test_ctrl_c_stops_between_two_labels_and_says_where(
    listening: Listen,
    table: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import signal

    got = bytearray()
    printer = listening(lambda line: everything(line, got))
    plain = labels_target._progress

    def progress(of: int) -> Callable[[int], None]:
        say = plain(of)

        def told(sent: int) -> None:
            say(sent)
            if sent == 5:
                signal.raise_signal(signal.SIGINT)

        return told

    monkeypatch.setattr(labels_target, "_progress", progress)
    before = signal.getsignal(signal.SIGINT)
    assert main(command(table, printer.where)) == 130
    printer.close()
    said = capsys.readouterr().out
    assert "Stopped: 5 of 30 labels were handed over. The next one stands in row 7" in said
    assert bytes(got).count(b"PRINT 1,1") == 5
    assert signal.getsignal(signal.SIGINT) is before


def test_a_printer_without_a_language_is_asked_for_one(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["labels", "sheet", "--csv", str(table), "--layout", "roll-50x30"]
    assert main([*words, "--printer", "192.0.2.1"]) == 1
    assert "which language does 192.0.2.1 speak? Add --format" in capsys.readouterr().err
    assert main(words) == 1
    assert "name a file with -o, or a printer with --printer" in capsys.readouterr().err
    assert main([*words, "--printer", "192.0.2.1", "--format", "png"]) == 1
    assert "no printer takes png" in capsys.readouterr().err


def test_the_port_is_the_one_that_printers_have() -> None:
    assert network.PORT == 9100
