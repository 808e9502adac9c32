"""Guessing passwords and codes gets nowhere, and keeps nobody out of the own account."""

import threading
import time
from collections import Counter

import pytest
from flask.testing import FlaskClient
from office import PASSWORD, Place, form_token
from sqlalchemy import func, select

from nongso.platform import entry_codes, guesses, people
from nongso.platform.audit import Deed
from nongso.platform.guesses import Guess, wait_after
from nongso.platform.people import Person, WeakSecret
from nongso.platform.store import Base

DAY = 86400
SHARED = "203.0.113.7"  # of a whole village, behind its network's one address
NOW = 1_800_000_000


def enter(client: FlaskClient, user: str, address: str, password: str = "wrong") -> int:
    """Log in from an address; a browser that was logged in has lost that cookie."""
    client.delete_cookie("nongso_log_in")
    where = {"REMOTE_ADDR": address}
    token = form_token(client.get("/login", environ_base=where))
    body = {"user": user, "password": password, "form_token": token}
    return client.post("/login", data=body, environ_base=where).status_code


def guess_all_day(place: Place, user: str, addresses: list[str], count: int, ends: int) -> int:
    """Guess the password of one account; return how many guesses were checked at all."""
    checked = 0
    with place.records.transaction() as session:
        person = people.find_person(session, user)
        for n in range(count):
            found = guesses.begin(
                session,
                "password",
                person,
                device=people.hashed(f"browser {n}"),
                address=addresses[n % len(addresses)],
                now=ends - DAY + (n + 1) * DAY // count,
            )
            checked += found.wait_seconds == 0
    return checked


def test_ten_thousand_guesses_from_500_addresses_get_nowhere(place: Place) -> None:
    """The owner still gets in from the own browser, and the neighbour behind the same address."""
    owner, neighbour = place.app.test_client(), place.app.test_client()
    assert enter(owner, "farmer", SHARED, PASSWORD) == 303
    assert enter(neighbour, "officer", SHARED, PASSWORD) == 303
    addresses = [f"198.51.{n // 250}.{n % 250}" for n in range(499)] + [SHARED]
    ends = int(time.time()) + 600  # so that a busy machine does not leave that day meanwhile
    checked = guess_all_day(place, "farmer", addresses, 10_000, ends)
    assert checked <= 48  # strangers' and the shared address's: of a million PINs, 1 in 20,000
    assert enter(place.app.test_client(), "farmer", "198.51.0.1", PASSWORD) == 429
    assert enter(owner, "farmer", SHARED, PASSWORD) == 303
    assert enter(neighbour, "officer", SHARED, PASSWORD) == 303


def test_a_hundred_guesses_at_the_same_moment_are_counted_as_a_hundred(place: Place) -> None:
    clients = [place.app.test_client() for _ in range(8)]
    tokens = [form_token(client.get("/login")) for client in clients]
    found: list[int] = []

    def guess(client: FlaskClient, token: str, first: int) -> None:
        for n in range(first, first + 12):
            where = {"REMOTE_ADDR": f"198.51.100.{n}"}
            body = {"user": "farmer", "password": f"wrong-{n}", "form_token": token}
            found.append(client.post("/login", data=body, environ_base=where).status_code)

    threads = [
        threading.Thread(target=guess, args=(client, token, 12 * k))
        for k, (client, token) in enumerate(zip(clients, tokens, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(found) == {401: guesses.FREE_GUESSES, 429: 96 - guesses.FREE_GUESSES}


def test_a_neighbour_is_not_locked_out_by_guesses_behind_the_same_address(place: Place) -> None:
    """Also in a new browser, as long as the neighbour has been there once before."""
    assert enter(place.app.test_client(), "officer", SHARED, PASSWORD) == 303
    for n in range(60):
        enter(place.app.test_client(), f"somebody-{n}", SHARED)
    assert enter(place.app.test_client(), "nobody", SHARED) == 429
    assert enter(place.app.test_client(), "farmer", SHARED, PASSWORD) == 429  # waits a minute
    assert enter(place.app.test_client(), "officer", SHARED, PASSWORD) == 303


def test_spraying_one_password_over_many_accounts_is_slow_too(place: Place) -> None:
    with place.records.transaction() as session:
        checked = sum(
            guesses.begin(
                session, "password", None, name=f"n-{n}", address="198.51.100.1", now=NOW + n // 10
            ).wait_seconds
            == 0
            for n in range(3000)  # five minutes
        )
    assert checked <= guesses.ADDRESS_FREE_GUESSES + 6


def code_for(place: Place, user: str) -> str:
    with place.records.transaction() as session:
        person = people.find_person(session, user)
        assert person is not None
        return entry_codes.make(session, person, 24, int(time.time()))[1]


def enter_digits(place: Place, user: str, digits: str) -> int:
    client, where = place.app.test_client(), {"REMOTE_ADDR": SHARED}
    token = form_token(client.get("/enter", environ_base=where))
    body = {"user": user, "digits": digits, "new": "270495", "again": "270495"}
    return client.post(
        "/enter", data={**body, "form_token": token}, environ_base=where
    ).status_code


def test_a_printed_code_lets_in_although_others_guess_behind_the_same_address(
    place: Place,
) -> None:
    digits = code_for(place, "farmer")
    for n in range(guesses.ADDRESS_FREE_GUESSES):
        assert enter(place.app.test_client(), f"nobody-{n}", SHARED) == 401
    assert enter(place.app.test_client(), "farmer", SHARED, PASSWORD) == 429
    wrong = f"{(int(digits) + 1) % 10**6:06d}"
    assert enter_digits(place, "farmer", wrong) == 429, "answered as if nothing was checked"
    assert enter_digits(place, "somebody-else", digits) == 429
    assert enter_digits(place, "farmer", digits) == 303


def test_a_printed_code_bears_five_wrong_tries_while_one_has_to_wait_too(place: Place) -> None:
    digits = code_for(place, "farmer")
    for n in range(guesses.ADDRESS_FREE_GUESSES):
        assert enter(place.app.test_client(), f"nobody-{n}", SHARED) == 401
    for n in range(entry_codes.MOST_WRONG_DIGITS):
        assert enter_digits(place, "farmer", f"{(int(digits) + 1 + n) % 10**6:06d}") == 429
    assert enter_digits(place, "farmer", digits) == 429


def test_an_owner_who_mistypes_in_the_own_browser_only_waits_there(place: Place) -> None:
    own = place.app.test_client()
    assert enter(own, "farmer", SHARED, PASSWORD) == 303
    answers = [enter(own, "farmer", SHARED) for _ in range(12)]
    assert answers == [401] * 10 + [429] * 2
    assert enter(place.app.test_client(), "farmer", "192.0.2.9", PASSWORD) == 303


def test_a_right_password_strikes_out_the_wrong_ones_before_it(place: Place) -> None:
    own = place.app.test_client()
    assert enter(own, "farmer", SHARED, PASSWORD) == 303
    for _ in range(3):
        assert [enter(own, "farmer", SHARED) for _ in range(8)] == [401] * 8
        assert enter(own, "farmer", SHARED, PASSWORD) == 303
    with place.records.session() as session:
        assert session.scalar(select(func.count()).select_from(Guess)) == 0


def test_waiting_does_not_tell_who_exists(place: Place) -> None:
    for user in ("farmer", "nobody-at-all"):
        answers = [enter(place.app.test_client(), user, f"198.51.100.{n}") for n in range(12)]
        assert answers == [401] * 10 + [429] * 2


def test_the_wait_grows_and_ends(place: Place) -> None:
    assert [wait_after(n, 10, 14400) for n in (0, 9, 10, 11, 14, 17, 18, 500)] == [
        *(0, 0, 60, 120, 960, 7680, 14400, 14400)
    ]
    with place.records.transaction() as session:
        person = people.find_person(session, "farmer")
        for n in range(10):
            guesses.begin(session, "password", person, address=f"198.51.100.{n}", now=NOW)
        held = guesses.begin(session, "password", person, address="192.0.2.1", now=NOW + 1)
        assert held.wait_seconds == 59
        again = guesses.begin(session, "password", person, address="192.0.2.1", now=NOW + 60)
        assert again.wait_seconds == 0


def test_one_line_of_ipv6_is_one_address_however_many_it_has() -> None:
    assert guesses.network("2001:db8:1:2::5") == guesses.network("2001:db8:1:2:ffff::1")
    assert guesses.network("2001:db8:1:3::5") != guesses.network("2001:db8:1:2::5")
    assert guesses.network("::ffff:192.0.2.7") == "192.0.2.7"


def test_failures_stand_in_the_audit_without_what_was_typed(place: Place) -> None:
    enter(place.app.test_client(), "farmer", SHARED, "my-other-password")
    enter(place.app.test_client(), "my-password-in-the-wrong-field", SHARED, "x")
    with place.records.session() as session:
        person = people.find_person(session, "farmer")
        assert person is not None
        deeds = session.scalars(select(Deed).where(Deed.what == "log_in_failed")).all()
        assert [deed.person for deed in deeds] == [person.id]
        assert deeds[0].network == "203.0.113.0/24"
        stored = str([session.execute(select(t)).all() for t in Base.metadata.sorted_tables])
    assert "log_in_failed" in stored
    assert "my-other-password" not in stored
    assert "my-password-in-the-wrong-field" not in stored


@pytest.mark.parametrize("pin", ["123456", "654321", "000000", "121212", "123123", "112211", "90"])
def test_the_pins_that_are_guessed_first_cannot_be_chosen(pin: str) -> None:
    with pytest.raises(WeakSecret):
        people.check_secret("farmer", "mai", pin)


@pytest.mark.parametrize(
    ("role", "secret", "fits"),
    [
        ("farmer", "407193", True),
        ("helper", "407193", True),
        ("clerk", "407193", False),
        ("clerk", "mien dong phoi nang", True),
        ("clerk", "matkhau1", False),
        ("clerk", "aaaaaaaa", False),
        ("clerk", "nhanvien01", False),
    ],
)
def test_six_digits_are_for_farmers_and_helpers(role: str, secret: str, fits: bool) -> None:
    if fits:
        people.check_secret(role, "nhanvien", secret)
        return
    with pytest.raises(WeakSecret):
        people.check_secret(role, "nhanvien", secret)


def test_an_account_that_is_disabled_lets_nobody_in(place: Place) -> None:
    own = place.client("farmer")
    with place.records.transaction() as session:
        found = session.scalar(select(Person).where(Person.user == "farmer"))
        assert found is not None
        found.active = False
    assert own.get("/greenhouses").status_code == 303
    assert enter(place.app.test_client(), "farmer", SHARED, PASSWORD) == 401
