"""Where the records are: one line, read and checked here, without connecting.

    sqlite:///records.sqlite                             a file; relative to the platform's folder
    postgresql://user:password@host:5432/database        a PostgreSQL server
    postgresql:///database?host=/run/postgresql          the same through its socket

After a question mark: ``sslmode``, ``sslrootcert``, ``sslcert``, ``sslkey``, ``connect_timeout``
and ``host`` as libpq knows them. Special characters in names and passwords are percent-encoded. A
password may also stand in libpq's own ``~/.pgpass``.
"""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

DEFAULT = "sqlite:///records.sqlite"
EXAMPLES = f"{DEFAULT}, postgresql://user:password@127.0.0.1:5432/nongso"
_OPTIONS = {"sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "host"}


class AddressError(ValueError):
    """The setting means no database; the text says what is wrong and never shows a password."""


@dataclass(frozen=True)
class Address:
    """A file of the folder, or a database on a server (``file`` is empty then)."""

    file: str = ""
    host: str = ""
    port: int | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    options: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Return what people are told: no user, no password."""
        if self.file:
            return self.file
        host = f"[{self.host}]" if ":" in self.host else self.host
        at = dict(self.options).get("host") or host or "the local socket"
        return f"{self.database} on PostgreSQL at {at}" + (f":{self.port}" if self.port else "")


def read(text: str) -> Address:
    """Read a setting; an empty one is the file. Raises ``AddressError``."""
    if not text:
        text = DEFAULT
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise AddressError("the address of the records cannot be read") from None
    if parts.scheme == "sqlite":
        file = unquote(parts.path[1:])
        if parts.netloc or not file or "/" in file or parts.query:
            raise AddressError(f"a file of the platform's folder is named like this: {DEFAULT}")
        return Address(file=file)
    if parts.scheme != "postgresql":
        raise AddressError(
            f"{parts.scheme or 'nothing'}: is no database for the records; known: {EXAMPLES}"
        )
    database = unquote(parts.path[1:])
    if not database or "/" in database or parts.fragment:
        raise AddressError(
            "one database must be named: postgresql://user:password@127.0.0.1:5432/nongso; "
            "special characters are percent-encoded"
        )
    try:
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
    except ValueError:
        options = {} if not parts.query else {"": ""}
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        known = ", ".join(sorted(_OPTIONS))
        raise AddressError(f"postgresql has no option {unknown[0]!r} here; known: {known}")
    found = Address(
        host=parts.hostname or "",
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=database,
        options=tuple(sorted(options.items())),
    )
    if "\0" in found.user + found.password + found.host + database + "".join(options.values()):
        raise AddressError("the address of the records cannot be read")
    return found
