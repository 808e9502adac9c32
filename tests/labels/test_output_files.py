"""A sheet is written where it was meant to be, whole or not at all, and destroys nothing else."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nongso.commands.__main__ import main
from nongso.labels import csvsheet
from nongso.labels.csvsheet import make_sheet
from nongso.labels.errors import BadOutput, BadTable

TABLE = "url,text\nhttps://lo.example/t/1,Lô K7M4\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    made = tmp_path / "labels.csv"
    made.write_text(TABLE)
    return made


def refused(table: Path, out: Path, words: str) -> None:
    with pytest.raises(BadOutput, match=words):
        make_sheet(table, out, "a4-3x8")
    assert table.read_text() == TABLE


@pytest.mark.parametrize("way", ["itself", "its symbolic link", "its second name"])
def test_the_table_is_never_overwritten_by_its_own_sheet(
    table: Path, tmp_path: Path, way: str
) -> None:
    out = tmp_path / "other.pdf"
    if way == "itself":
        out = table
    elif way == "its symbolic link":
        out.symlink_to(table)
    else:
        out.hardlink_to(table)
    refused(table, out, "is the table itself")


def test_a_device_stays_a_device(table: Path) -> None:
    refused(table, Path("/dev/null"), "is no ordinary file")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.mkdir, "is a folder"),
        (os.mkfifo, "is no ordinary file"),
        (
            lambda out: out.symlink_to(out.parent / "gone" / "out.pdf"),
            "folder .*gone is not there",
        ),
        (lambda out: out.symlink_to(out), "cannot be written"),
        (lambda out: out.write_bytes(b"PK\x03\x04 a spreadsheet"), "is there and is no PDF"),
    ],
    ids=["folder", "pipe", "link to nowhere", "link to itself", "spreadsheet"],
)
def test_what_is_no_sheet_is_not_replaced_by_one(
    table: Path, tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    out = tmp_path / "out.pdf"
    make(out)
    before = out.lstat()
    refused(table, out, words)
    assert (out.lstat().st_mode, out.lstat().st_size) == (before.st_mode, before.st_size)


def test_a_folder_that_is_not_there_is_named(table: Path, tmp_path: Path) -> None:
    refused(table, tmp_path / "none" / "out.pdf", "folder .*none is not there")


def test_an_older_sheet_is_replaced_and_a_link_to_it_stays_a_link(
    table: Path, tmp_path: Path
) -> None:
    real, link = tmp_path / "real.pdf", tmp_path / "out.pdf"
    real.write_bytes(b"%PDF-1.4 older")
    link.symlink_to(real)
    make_sheet(table, link, "a4-3x8")
    assert link.is_symlink()
    assert real.read_bytes()[-6:] == b"%%EOF\n"


def test_an_interrupted_run_leaves_the_older_sheet_and_no_half_one(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.pdf"
    out.write_bytes(b"%PDF-1.4 older")

    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_sheet(table, out, "a4-3x8")
    assert out.read_bytes() == b"%PDF-1.4 older"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["labels.csv", "out.pdf"]


def test_a_table_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvsheet, "MOST_BYTES", 1 << 16)
    with pytest.raises(BadTable, match="larger than"):
        make_sheet(Path("/dev/zero"), tmp_path / "out.pdf", "a4-3x8")


def test_a_table_from_a_pipe_is_read(table: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(TABLE,))
    writer.start()
    make_sheet(pipe, tmp_path / "out.pdf", "a4-3x8")
    writer.join()


def test_the_command_says_it_in_a_sentence(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["labels", "sheet", "--csv", str(table), "-o", str(table)]) == 1
    said = capsys.readouterr().err
    assert "is the table itself" in said
    assert "Traceback" not in said
