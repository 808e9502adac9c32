"""Second factors' secrets: sealed in the records, opened with a key that lies elsewhere."""

import os
import re
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from office import PASSWORD, Place, form_token, open_place
from sqlalchemy import text

from nongso.platform import migrations, people, second_factor
from nongso.platform import settings as settings_of
from nongso.platform.app import create_app
from nongso.platform.people import Person
from nongso.platform.seals import SealError, Seals
from nongso.platform.settings import Settings, SettingsError
from nongso.platform.store import Records

OPEN = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # a secret as it stood in the records before


def secret_of(place: Place, user: str = "clerk") -> str:
    with place.records.session() as session:
        person = people.find_person(session, user)
        assert person is not None
        found = second_factor.secret_of(session, person)
    assert found is not None
    return found


def test_a_stolen_copy_of_the_records_makes_no_codes(place: Place) -> None:
    secret = secret_of(place)
    with place.records.session() as session:
        rows = session.execute(text("SELECT totp_sealed FROM person")).scalars().all()
    assert any(rows)
    assert not any(secret in (row or "") for row in rows)
    key = place.settings.keys_file
    assert key.read_text().count("\n") == 2
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_secret_carried_to_another_row_opens_nothing(place: Place) -> None:
    """Who can write into the records cannot give the administrator a second factor of his own."""
    with place.records.transaction() as session:
        clerk, admin = (people.find_person(session, user) for user in ("clerk", "admin"))
        assert clerk is not None
        assert admin is not None
        admin.totp_sealed = clerk.totp_sealed
        session.flush()
        with pytest.raises(SealError, match="changed, or is somebody else's"):
            second_factor.secret_of(session, admin)


def test_secrets_of_before_are_sealed_by_the_upgrade_and_open_again_by_the_way_back(
    settings: Settings,
) -> None:
    place = open_place(settings)
    place.close()
    records = Records.of(settings)
    with records.engine.connect() as connection:
        connection.execution_options(**records.write_options())
        command.downgrade(migrations._config(connection), "ground_2")
        connection.execute(
            text("UPDATE person SET totp_secret = :open WHERE \"user\" = 'clerk'"), {"open": OPEN}
        )
        connection.commit()
    if settings.records_in_file:
        assert OPEN.encode() in settings.records_file.read_bytes()
    migrations.upgrade(settings)
    if settings.records_in_file:
        assert OPEN.encode() not in settings.records_file.read_bytes(), "not even in free places"
    again = Place(settings, create_app(settings))
    assert secret_of(again) == OPEN
    again.client("clerk")
    again.close()
    with records.engine.connect() as connection:
        connection.execution_options(**records.write_options())
        command.downgrade(migrations._config(connection), "ground_2")
        found = connection.execute(
            text("SELECT totp_secret FROM person WHERE \"user\" = 'clerk'")
        ).scalar()
        connection.rollback()
    records.close()
    assert found == OPEN


def test_without_its_key_nothing_is_upgraded_down_and_nothing_lost(settings: Settings) -> None:
    open_place(settings).close()
    settings.keys_file.rename(settings.folder / "away")
    records = Records.of(settings)
    with records.engine.connect() as connection:
        connection.execution_options(**records.write_options())
        with pytest.raises(SealError, match="is missing; put its copy back"):
            command.downgrade(migrations._config(connection), "ground_2")
    records.close()
    (settings.folder / "away").rename(settings.keys_file)
    again = Place(settings, create_app(settings))
    again.client("clerk")
    again.close()


def test_a_lost_key_is_said_and_a_recovery_code_still_lets_in(place: Place) -> None:
    with place.records.transaction() as session:
        person = people.find_person(session, "clerk")
        assert person is not None
        recovery = second_factor.new_recovery_codes(session, person)[0]
    place.settings.keys_file.unlink()
    assert "is missing" in second_factor.trouble(place.records)
    client = place.client()
    page = client.get("/login")
    data = {"user": "clerk", "password": PASSWORD, "form_token": form_token(page)}
    assert client.post("/login", data=data).location == "/login/second"
    token = form_token(client.get("/login/second"))
    answer = client.post("/login/second", data={"code": "123456", "form_token": token})
    assert answer.status_code == 503
    assert "Tệp khóa trên máy chủ bị thiếu hoặc hỏng." in answer.text
    answer = client.post("/login/second", data={"code": recovery, "form_token": token})
    assert answer.location == "/records/"


def test_no_new_key_hides_that_the_old_one_is_gone(place: Place) -> None:
    place.settings.keys_file.unlink()
    with place.records.transaction() as session:
        person = people.find_person(session, "farmer")
        assert person is not None
        with pytest.raises(SealError, match="put its copy back"):
            second_factor.set_up(session, person, second_factor.new_secret(), 0)
    assert not place.settings.keys_file.exists()


def test_a_key_that_is_lost_for_good_locks_nobody_out_for_ever(place: Place) -> None:
    place.client("clerk")
    place.settings.keys_file.write_text("eaten by the disk")
    lost = second_factor.forget_lost(place.records)
    assert "clerk" in lost
    assert len(list(place.settings.folder.glob("sealing.keys.damaged-*"))) == 1
    client = place.client()
    data = {
        "user": "clerk",
        "password": PASSWORD,
        "form_token": form_token(client.get("/login")),
    }
    assert client.post("/login", data=data).location == "/login/setup"
    page = client.get("/login/setup").text
    shown = re.search(r'class="secret">([A-Z2-7]+)<', page)
    assert shown is not None, page
    token = form_token(client.get("/login/setup"))
    code = second_factor.code(shown.group(1), int(time.time()))
    answer = client.post("/login/setup", data={"code": code, "form_token": token})
    assert answer.status_code == 200
    assert secret_of(place) == shown.group(1)


@pytest.mark.parametrize("broken", [b"", b"\xff\xfe", b"# only words\n", b"0badname AAAA\n"])
def test_a_damaged_key_file_is_named(tmp_path: Path, broken: bytes) -> None:
    seals = Seals(tmp_path / "sealing.keys")
    seals.make()
    sealed = seals.seal("x", "me")
    assert seals.open(sealed, "me") == "x"
    seals.file.write_bytes(broken)
    with pytest.raises(SealError, match=r"sealing\.keys"):
        seals.open(sealed, "me")


def test_of_two_who_make_the_key_at_once_both_have_the_same(tmp_path: Path) -> None:
    first, second = (Seals(tmp_path / "sealing.keys") for _ in range(2))
    first.make()
    sealed = first.seal("x", "me")
    second.make()
    assert second.open(sealed, "me") == "x"
    assert [file.name for file in tmp_path.iterdir()] == ["sealing.keys"]


def test_a_renewed_key_seals_all_and_the_leaked_one_goes_at_the_next_time(place: Place) -> None:
    before = secret_of(place)
    (leaked,) = place.records.seals.names()
    sealed, gone = second_factor.reseal(place.records)
    assert sealed >= 2
    assert gone == 0
    assert secret_of(place) == before
    with place.records.session() as session:
        for person in session.query(Person).where(Person.totp_sealed.is_not(None)):
            assert person.totp_sealed is not None
            assert not person.totp_sealed.startswith(leaked)
    assert second_factor.reseal(place.records)[1] == 1
    assert leaked not in place.records.seals.names()
    assert second_factor.trouble(place.records) == ""
    place.client("clerk")


def test_the_key_may_lie_on_another_disk(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere.keys"
    found = {"folder": str(settings.folder), "secret": settings.secret, "keys": str(elsewhere)}
    assert settings_of.checked(found).keys_file == elsewhere
    monkeypatch.setenv("NONGSO_KEYS", str(tmp_path / "by-environment"))
    assert settings_of.checked(found).keys_file == tmp_path / "by-environment"
    monkeypatch.delenv("NONGSO_KEYS")
    place = open_place(replace(settings, keys=str(elsewhere)))
    assert elsewhere.exists()
    assert not (settings.folder / "sealing.keys").exists()
    place.client("clerk")
    place.close()


def test_a_key_that_everybody_can_read_keeps_the_server_from_starting(
    tmp_path: Path, settings: Settings
) -> None:
    from nongso.platform import selfcheck

    place = open_place(settings)
    file = tmp_path / "platform.json"
    file.write_text("{}")
    file.chmod(0o600)
    selfcheck.refuse_unsafe(file, place.app)
    settings.keys_file.chmod(0o644)
    with pytest.raises(SettingsError, match="nongso platform reseal"):
        selfcheck.refuse_unsafe(file, place.app)
    place.close()


def test_the_command_seals_anew(tmp_path: Path) -> None:
    file = tmp_path / "platform.json"

    def nongso(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nongso.commands", "platform", *words, "--settings", str(file)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={k: v for k, v in os.environ.items() if k != "NONGSO_KEYS"},
        )

    assert nongso("init", "--url", "http://127.0.0.1:1").returncode == 0
    assert nongso("upgrade").returncode == 0
    refused = nongso("reseal")
    assert refused.returncode == 1
    assert "sealing.keys is missing" in refused.stderr
    settings = settings_of.load(file)
    place = open_place(settings)
    place.close()
    done = nongso("reseal")
    assert done.returncode == 0, done.stderr
    assert "are sealed with a new key" in done.stdout
    again = Place(settings, create_app(settings))
    code = second_factor.code(secret_of(again), int(time.time()))
    assert len(code) == 6
    again.close()
