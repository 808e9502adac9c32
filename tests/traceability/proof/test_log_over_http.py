"""The log over HTTP: whoever fetches its files can rebuild it, and finds nobody's name in it."""

import json
import time
from collections.abc import Iterator

import pypdfium2 as pdfium
import pytest
import zxingcpp
from cooperative import BASE, NOW
from platform_site import Site
from sqlalchemy import select, text

from nongso.platform.people import Person
from nongso.platform.traceability.proof import (
    checkpoints,
    cosigning,
    merkle,
    notes,
    tiles,
    watching,
)
from nongso.platform.traceability.proof.custody import Custody
from nongso.platform.traceability.proof.lotproof import Refused, judge
from nongso.platform.traceability.proof.notes import Key, PrivateKey
from nongso.platform.traceability.proof.signing import Signer
from nongso.platform.traceability.proof.tiles import Tile
from nongso.platform.traceability.proof.tlogproof import EntryProof
from nongso.platform.traceability.records import Lot


@pytest.fixture
def signer(site: Site) -> Iterator[Signer]:
    custody = Custody(site.farm.settings.folder)
    assert custody.take()
    yield Signer(site.farm.records, custody, "127.0.0.1:8080/log")
    custody.let_go()


def keys_of(site: Site) -> tuple[Key, dict]:
    found = site.stranger.get("/log/keys").get_json()
    return Key.parse(found["key"]), found


def test_whoever_fetches_the_files_can_rebuild_the_log(site: Site, signer: Signer) -> None:
    assert site.stranger.get("/log/checkpoint").status_code == 404
    site.farm.packed()
    signer.sign_now(NOW)
    answer = site.stranger.get("/log/checkpoint")
    assert answer.content_type == "text/plain; charset=utf-8"
    key, _ = keys_of(site)
    found = checkpoints.open_note(answer.text, [key], []).checkpoint
    bundle = site.stranger.get("/log/tile/" + Tile(None, 0, found.size).path)
    entries = tiles.unbundle(bundle.data)
    hashes = site.stranger.get("/log/tile/" + Tile(0, 0, found.size).path)
    assert "immutable" in hashes.headers["Cache-Control"]
    assert hashes.data == b"".join(map(merkle.leaf_hash, entries))
    nodes = tiles.nodes_of(lambda level, index: hashes.data)
    assert merkle.root(nodes, found.size) == found.root
    for place, entry in enumerate(entries):
        proof = EntryProof.parse(site.stranger.get(f"/log/entry/{place}").text)
        assert proof.index == place
        proof.check(entry, [key], [])
    assert "Set-Cookie" not in answer.headers


def test_only_what_is_signed_is_served(site: Site, signer: Signer) -> None:
    site.farm.roots(5)
    signer.sign_now(NOW)
    site.farm.roots(5)
    key, _ = keys_of(site)
    signed = checkpoints.open_note(site.stranger.get("/log/checkpoint").text, [key], []).checkpoint
    beyond = f"entries/000.p/{signed.size + 1}"
    for bad in (
        f"0/000.p/{signed.size + 1}", "0/000", "0/001.p/1", "1/000.p/1", beyond,
        "0/x000/000", "nonsense", "../../keys",
    ):  # fmt: skip
        assert site.stranger.get("/log/tile/" + bad).status_code == 404, bad
    assert site.stranger.get(f"/log/entry/{signed.size}").status_code == 404
    assert site.stranger.get("/log/entry/99999999999999999999").status_code == 404


def test_a_stranger_gets_the_proof_of_a_packed_lot_and_of_no_other(
    site: Site, signer: Signer
) -> None:
    packed = site.farm.packed()
    with site.farm.records.session() as session:
        roots = session.scalar(select(Lot.code).where(Lot.kind == "roots"))
    waiting = site.stranger.get(f"/api/v1/lots/{packed.code}/proof")
    assert (waiting.status_code, waiting.get_json()["code"]) == (503, "not_signed_yet")
    signer.sign_now(NOW)
    answer = site.stranger.get(f"/api/v1/lots/{packed.code}/proof")
    verdict = judge(answer.data, kept=[keys_of(site)[0]])
    assert (verdict.lot, verdict.key_was_kept) == (packed.code, True)
    assert json.loads(answer.data)["address"] == f"{BASE}/t/{packed.code}"
    assert site.stranger.get(f"/log/proof/{packed.code.lower()}").data == answer.data
    assert site.stranger.get(f"/api/v1/lots/{roots}/proof").status_code == 404
    assert site.stranger.get("/api/v1/lots/NOSUCH/proof").status_code == 404
    assert judge(site.api(f"/api/v1/lots/{roots}/proof").data).lot == roots
    assert site.api(f"/api/v1/lots/{roots}/proof", role="farmer").status_code == 404


def test_the_pages_say_since_when_and_notice_a_changed_byte(site: Site, signer: Signer) -> None:
    packed = site.farm.packed()
    consumer, clerk = f"/t/{packed.code}", f"/records/lots/{packed.code}"
    assert "đang chờ dấu niêm" in site.stranger.get(consumer).text
    signer.sign_now(NOW)
    assert "chưa bị sửa từ ngày 21/11/2026" in site.stranger.get(consumer).text
    assert "chưa bị sửa từ ngày 21/11/2026" in site.clerk.get(clerk).text
    with site.farm.records.transaction() as session:
        if site.farm.records.is_file:
            session.execute(text("DROP TRIGGER event_no_update"))
        else:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        cast = "" if site.farm.records.is_file else "::json"
        session.execute(
            text(
                "UPDATE event SET body = replace(CAST(body AS TEXT), 'in_progress', 'in_progresz')"
                f"{cast} WHERE type = 'lot.received'"
            )
        )
    deadline = time.monotonic() + 5  # another process's write is seen after a blink
    while "không còn khớp" not in site.stranger.get(consumer).text:
        assert time.monotonic() < deadline
    for page in (site.stranger.get(consumer).text, site.clerk.get(clerk).text):
        assert "không còn khớp với sổ công khai" in page
        assert "chưa bị sửa từ ngày" not in page
    with pytest.raises(Refused) as error:
        judge(site.stranger.get(f"/api/v1/lots/{packed.code}/proof").data)
    assert error.value.code == "changed"


def test_a_witness_signs_and_the_board_shows_it(site: Site, signer: Signer) -> None:
    packed = site.farm.packed()
    now = int(time.time())
    signer.sign_now(now)
    witness = PrivateKey.new("hieplucthainguyen.example/witness", notes.COSIGNER)
    stranger = PrivateKey.new("stranger.example", notes.COSIGNER)
    body = notes.parse(site.stranger.get("/log/checkpoint").text).text
    size = int(body.split("\n")[1])
    for line in (
        stranger.line(body, now), witness.line(body, now), "nonsense", "", "x" * 5000,
    ):  # fmt: skip
        answer = site.stranger.post(f"/log/cosignature/{size}", data=line.encode())
        assert answer.status_code == 400, line
    with site.farm.records.transaction() as session:
        cosigning.trust(session, str(witness.key), "Hợp tác xã Hiệp Lực", now)
    for bad in (witness.line(body, now + 86400), witness.line(body + "x\n", now)):
        answer = site.stranger.post(f"/log/cosignature/{size}", data=bad.encode())
        assert answer.status_code == 400
    assert "chưa ký dấu niêm này" in site.stranger.get("/log/").text
    for at in (now, now):
        good = witness.line(body, at).encode()
        assert site.stranger.post(f"/log/cosignature/{size}", data=good).status_code == 201
    assert site.stranger.post(f"/log/cosignature/{size + 1}", data=good).status_code == 400
    page = site.stranger.get("/log/").text
    assert "Hợp tác xã Hiệp Lực" in page
    assert "đã ký dấu niêm này" in page
    assert body.split("\n")[2] in page.replace("&#43;", "+")
    key, _ = keys_of(site)
    served = site.stranger.get("/log/checkpoint").text
    opened = checkpoints.open_note(served, [key], [witness.key])
    assert opened.signers[witness.key] == now
    verdict = judge(site.stranger.get(f"/log/proof/{packed.code}").data, kept=[witness.key])
    assert [(one.name, one.at, one.kept) for one in verdict.witnesses] == [
        (witness.name, now, True)
    ]


def test_health_says_when_the_log_is_behind_or_nobody_signs(site: Site, signer: Signer) -> None:
    site.farm.roots(5)
    found = site.stranger.get("/healthz").get_json()["log"]
    assert "No signer has run yet" in found["trouble"]
    assert "Sổ công khai chưa được niêm" in site.clerk.get("/records/").text
    now = int(time.time())
    signer.look(now)
    signer.look(now + 5)
    answer = site.stranger.get("/healthz")
    assert (answer.status_code, answer.get_json()["log"]["trouble"]) == (200, "")
    assert answer.get_json()["log"]["signed"] == 3
    assert "Sổ công khai chưa được niêm" not in site.clerk.get("/records/").text
    with site.farm.records.session() as session:
        later = watching.look(session, now + 400)
    assert "silent for 6 minutes" in later.trouble


def test_no_answer_of_the_log_holds_anything_personal(site: Site, signer: Signer) -> None:
    """Samples of what everybody can fetch, against every name and id of people and households."""
    names = ["Hộ H77 Lò Văn Mẫu", "0912345678"]
    farm = site.farm
    producer = farm.producer("H77")
    with farm.records.transaction() as session:
        session.execute(
            text("UPDATE producer SET name = :name, contact = :contact WHERE id = :id"),
            {"name": names[0], "contact": names[1], "id": producer},
        )
    for _ in range(3):
        farm.roots(5, producer=producer)
    packed = [farm.packed() for _ in range(3)]
    signer.sign_now(NOW)
    with farm.records.session() as session:
        for person in session.scalars(select(Person)):
            names += [person.id, person.user]
        households = text("SELECT id FROM producer WHERE kind = 'household'")
        names += session.scalars(households).all()
    size = int(site.stranger.get("/log/checkpoint").text.split("\n")[1])
    paths = ["/log/checkpoint", "/log/keys", "/log/", "/proof/verify"]
    paths += [f"/log/entry/{place}" for place in range(size)]
    paths += [
        "/log/tile/" + Tile(level, 0, width).path
        for level in (0, None)
        for width in range(1, size + 1)
    ]
    for lot in packed:
        paths += [f"/log/proof/{lot.code}", f"/api/v1/lots/{lot.code}/proof"]
    assert len(names) > 5
    found = 0
    for path in paths:
        answer = site.stranger.get(path)
        assert answer.status_code == 200, path
        for name in names:
            found += name.encode() in answer.data
    assert found == 0
    assert len(paths) > 60


def test_the_checkpoint_is_a_sheet_for_the_notice_board(site: Site, signer: Signer) -> None:
    assert site.stranger.get("/log/notice.pdf").status_code == 404
    site.farm.packed()
    signer.sign_now(NOW)
    assert 'href="/log/notice.pdf"' in site.stranger.get("/log/").text
    answer = site.stranger.get("/log/notice.pdf")
    assert answer.content_type == "application/pdf"
    document = pdfium.PdfDocument(answer.data)
    (page,) = document
    said = page.get_textpage().get_text_bounded()
    (code,) = zxingcpp.read_barcodes(page.render(scale=2).to_pil())
    document.close()
    key, _ = keys_of(site)
    signed = checkpoints.open_note(site.stranger.get("/log/checkpoint").text, [key], [])
    origin, size, root = str(signed.checkpoint).split()
    assert code.text == f"{origin} {size} {root}"
    for one in (origin, size, root, str(key), "Chưa có bên chứng kiến nào"):
        assert one in "".join(said.split("\r\n")) or one in " ".join(said.split())
    assert site.stranger.get("/log/notice.pdf").data == answer.data, "nothing of the hour"
