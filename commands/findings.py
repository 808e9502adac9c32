"""What the doctor has found: how it is, and what to do; and whether an address answers."""

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

CERTIFICATE_DAYS = 14
ANSWER_SECONDS = 5.0


class Grade(Enum):
    """How much a finding matters; the value is the word in front of it."""

    GOOD = "ok"
    UNKNOWN = "?"
    LOOK = "LOOK"
    WRONG = "WRONG"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is, and what to do where it is not good."""

    grade: Grade
    what: str
    do: str = ""


def good(what: str) -> Finding:
    """It is as it should be."""
    return Finding(Grade.GOOD, what)


def look(what: str, do: str) -> Finding:
    """It works, but will not for long, or not well."""
    return Finding(Grade.LOOK, what, do)


def wrong(what: str, do: str) -> Finding:
    """Something does not work."""
    return Finding(Grade.WRONG, what, do)


def address(url: str, ca_file: str | None = None) -> Iterator[Finding]:
    """Whether an address answers, and for how long its certificate is good."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((host, port), ANSWER_SECONDS) as line:
            if parts.scheme != "https":
                yield good(f"network: {url} can be reached")
                return
            context = ssl.create_default_context(cafile=ca_file)
            with context.wrap_socket(line, server_hostname=host) as secure:
                yield certificate(url, secure.getpeercert() or {})
    except socket.gaierror:
        yield wrong(
            f"network: the name {host} is not known",
            "no network, or no DNS: ping another address; is the name written right?",
        )
    except ssl.SSLCertVerificationError as error:
        yield wrong(
            f"certificate of {url}: {error.verify_message}",
            "is the clock right? Was it renewed? An authority of one's own belongs into "
            "platform.ca_file of gateway.json.",
        )
    except (OSError, ssl.SSLError) as error:
        yield wrong(
            f"network: {url} does not answer ({error})",
            "is the server running, is its firewall open, does this machine have network?",
        )


def certificate(whose: str, told: Mapping[str, object]) -> Finding:
    """How long a certificate is still good."""
    ends = ssl.cert_time_to_seconds(str(told.get("notAfter", "Jan  1 00:00:00 1970 GMT")))
    days = (ends - time.time()) / 86400
    if days < 0:
        return wrong(f"certificate of {whose}: ended {-days:.0f} days ago", "renew it now")
    if days < CERTIFICATE_DAYS:
        return look(
            f"certificate of {whose}: ends in {days:.0f} days",
            "renew it; where it should renew itself, see why it does not: systemctl list-timers",
        )
    return good(f"certificate of {whose}: good for {days:.0f} more days")
