"""An entry code from the server's command line: whoever holds the paper comes in, once."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import zxingcpp
from office import Place, form_token, open_place
from PIL import Image

from nongso.platform import audit, migrations, people
from nongso.platform import settings as settings_of
from nongso.platform.app import create_app
from nongso.platform.members import slip
from nongso.platform.members.slip import SlipError

URL = "https://nongso.example.vn"


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    file = tmp_path / "platform.json"
    body = {"folder": str(tmp_path / "platform"), "secret": "0123456789abcdef" * 4, "url": URL}
    file.write_text(json.dumps({**body, "port": 0}))
    file.chmod(0o600)
    migrations.upgrade(settings_of.load(file))
    open_place(settings_of.load(file)).close()
    return file


def nongso(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nongso.commands", "platform", "code", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
        env={k: v for k, v in os.environ.items() if not k.startswith("NONGSO_")},
    )


def scanned(drawn: str) -> str:
    """What a camera reads of the block characters."""
    rows = drawn.splitlines()
    picture = Image.new("L", (len(rows[0]), len(rows) * 2), 255)
    for y, row in enumerate(rows):
        for x, letter in enumerate(row):
            if letter in "▀█":
                picture.putpixel((x, 2 * y), 0)
            if letter in "▄█":
                picture.putpixel((x, 2 * y + 1), 0)
    (found,) = zxingcpp.read_barcodes(picture.resize((picture.width * 4, picture.height * 4)))
    return str(found.text)


def test_the_paper_lets_its_owner_in_once(settings_file: Path, tmp_path: Path) -> None:
    done = nongso(tmp_path, "farmer", "--settings", str(settings_file))
    assert done.returncode == 0, done.stderr
    file = tmp_path / "ma-vao-cua-farmer.txt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    digits = re.search(r"Mã 6 số trên giấy: (\d{6})", text)
    assert digits is not None
    assert digits.group(1) not in done.stdout + done.stderr
    assert "Tên đăng nhập: farmer" in text
    assert re.search(r"đến ngày \d\d/\d\d/\d{4} lúc \d+.giờ", text), "paper knows no tomorrow"
    assert f"{URL}/enter" in text
    settings = settings_of.load(settings_file)
    place = Place(settings, create_app(settings))
    client = place.client()
    address = scanned(text.split("\nMã vào cửa")[0]).removeprefix(URL)
    assert address.startswith("/enter/")
    for wanted in (303, 404):
        page = client.get(address)
        if wanted == 404:
            assert page.status_code == 404, "a second time it opens nothing"
            break
        data = {"new": "270495", "again": "270495", "form_token": form_token(page)}
        assert client.post(address, data=data).status_code == wanted
    with place.records.session() as session:
        (deed,) = audit.read(session, everything=True, what=["code_made"])
        person = people.find_person(session, "farmer")
        assert person is not None
        assert (deed.subject, deed.via, deed.person) == (person.id, "command", None)
    officer = place.client("admin").get("/audit?what=people").text
    assert "In mã vào cửa cho" in officer
    place.close()


def test_shown_it_is_written_nowhere(settings_file: Path, tmp_path: Path) -> None:
    done = nongso(tmp_path, "clerk", "--show", "--hours", "72", "--settings", str(settings_file))
    assert done.returncode == 0, done.stderr
    assert re.search(r"Mã 6 số trên giấy: \d{6}", done.stdout)
    assert "Tự đặt mật khẩu ít nhất 8 ký tự." in done.stdout
    assert "\x1b" not in done.stdout, "no colours in a pipe"
    assert list(tmp_path.glob("ma-vao-cua-*")) == []


def test_nobody_and_disabled_people_get_none_and_no_file_stays(
    settings_file: Path, tmp_path: Path
) -> None:
    done = nongso(tmp_path, "nobody", "--settings", str(settings_file))
    assert done.returncode == 1
    assert "nobody with the log-in name 'nobody'" in done.stderr
    assert list(tmp_path.glob("ma-vao-cua-*")) == []
    settings = settings_of.load(settings_file)
    place = Place(settings, create_app(settings))
    with place.records.transaction() as session:
        person = people.find_person(session, "farmer")
        assert person is not None
        person.active = False
    with pytest.raises(SlipError, match="disabled"):
        slip.make(settings, "farmer", 24)
    place.close()


def test_an_older_paper_is_not_written_over(settings_file: Path, tmp_path: Path) -> None:
    (tmp_path / "ma-vao-cua-farmer.txt").write_text("older")
    done = nongso(tmp_path, "farmer", "--settings", str(settings_file))
    assert done.returncode == 1
    assert "is there already" in done.stderr
    assert (tmp_path / "ma-vao-cua-farmer.txt").read_text() == "older"
