"""A shopper's phone checks a proof file by itself, with the network gone."""

import json
import time
from pathlib import Path

import pytest
from phones import Server, until
from playwright.sync_api import BrowserContext, Page

from nongso.platform.people import Cooperative
from nongso.platform.traceability import demo
from nongso.platform.traceability.proof import cosigning, notes, reading
from nongso.platform.traceability.proof.custody import Custody
from nongso.platform.traceability.proof.notes import PrivateKey
from nongso.platform.traceability.proof.signing import LOG_KEY, Signer


@pytest.fixture
def files(server: Server, tmp_path: Path) -> tuple[Path, str]:
    """A lot's proof file with a witness's signature, and the log's key."""
    place, now = server.place, int(time.time())
    with place.records.session() as session:
        assert session.get(Cooperative, "binh-lu") is not None
    lot = demo.lay_down(place.settings, now)[0]
    signer = Signer(place.records, Custody(place.settings.folder), "example.com/log")
    made = signer.sign_now(now)
    assert made is not None
    witness = PrivateKey.new("hiep-luc.example/w", notes.COSIGNER)
    with place.records.transaction() as session:
        cosigning.trust(session, str(witness.key), "Hợp tác xã Hiệp Lực", now)
        cosigning.take(session, made.size, witness.line(notes.parse(made.note).text, now))
    with place.records.session() as session:
        key = str(reading.keys(session, LOG_KEY)[0])
    file = tmp_path / "lot.json"
    file.write_bytes(place.app.test_client().get(f"/log/proof/{lot}").data)
    return file, key


def verdict_of(page: Page, file: Path, key: str = "") -> str:
    page.set_input_files("#file", file)
    page.fill("#key", key)
    page.evaluate("document.getElementById('verdict').replaceChildren()")
    page.click("main button")
    until(page, "document.getElementById('verdict').textContent.length > 0")
    return page.inner_text("#verdict")


def test_a_phone_without_network_checks_a_proof(
    phone: BrowserContext, files: tuple[Path, str], tmp_path: Path
) -> None:
    file, key = files
    page = phone.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    with page.expect_event("requestfinished", lambda one: "/leaf.svg" in one.url):
        page.goto("/proof/verify")  # its icon is fetched after everything else
    phone.set_offline(True)
    said = verdict_of(page, file)
    if "Ed25519" in said:
        pytest.skip("this Chromium knows no Ed25519")
    assert "Khớp." in said
    assert "chưa bị sửa từ" in said
    assert "Khóa của sổ lấy từ chính tệp này" in said
    assert "Hợp tác xã Hiệp Lực đã thấy cùng sổ này" in said
    assert "Chưa chứng minh" in said
    assert "đóng gói" in said
    assert "khóa đã nhập" in verdict_of(page, file, key)
    other = str(PrivateKey.new("example.com/log", notes.LOG).key)
    assert "khóa khác với khóa đã nhập" in verdict_of(page, file, other)
    good = file.read_text()
    found = json.loads(good)
    bad = tmp_path / "bad.json"
    for change, sentence in (
        (good.replace("lot.packed", "lot.pocked"), "không còn như lúc ghi vào sổ"),
        (good.replace(found["lot"], "ZZZZZZ", 1), "Không bản ghi nào cho biết lô ZZZZZZ"),
        (json.dumps({**found, "records": found["records"][3:]}), "Tệp bị thiếu"),
        (json.dumps({**found, "records": []}), "không có bản ghi nào"),
        (good.replace("example.com/log\\n", "example.com/lag\\n", 1), "Chữ ký của sổ"),
        ("{}", "Không đọc được tệp này"),
        ("nonsense", "Không đọc được tệp này"),
    ):
        assert change != good
        bad.write_text(change)
        said = verdict_of(page, bad)
        assert "Không khớp." in said, sentence
        assert sentence in said, said
        assert "chưa bị sửa từ" not in said
    assert complaints == []
