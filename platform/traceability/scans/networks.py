"""Which province an address is in, as far as the file ``networks.csv`` says.

The file lies in the platform's folder; a line is a network and a province, ``192.0.2.0/24,tỉnh
Lai Châu``. The narrowest network that holds an address counts. None is shipped: which networks are
in which province changes, and the lists that are sold may not be passed on. Without the file no
scan has a province, and the rules about places are silent; the clerk's page says so.

Networks of mobile phones are often those of a whole region: leave them out of the file rather
than give them a province that is not theirs.
"""

import csv
import ipaddress
import unicodedata
from pathlib import Path

NAME = "networks.csv"
LONGEST_PROVINCE = 60
HEAD = ("network", "province")

_Tables = dict[int, list[tuple[int, dict[int, str]]]]


class NetworksError(Exception):
    """The file cannot be used; the text says which line and why."""


class Networks:
    """A table of networks. Tells the province of an address, empty where it does not know."""

    def __init__(self, rows: list[tuple[str, str]] | None = None) -> None:
        found: dict[int, dict[int, dict[int, str]]] = {4: {}, 6: {}}
        for network, province in rows or []:
            net = ipaddress.ip_network(network)
            shift = net.max_prefixlen - net.prefixlen
            found[net.version].setdefault(shift, {})[int(net.network_address) >> shift] = province
        self._tables: _Tables = {version: sorted(of.items()) for version, of in found.items()}
        self.count = sum(len(t) for of in found.values() for t in of.values())

    def province(self, address: str) -> str:
        """The province of an address; any text may be asked for."""
        try:
            known = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return ""
        if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped is not None:
            known = known.ipv4_mapped
        number = int(known)
        for shift, table in self._tables[known.version]:
            province = table.get(number >> shift)
            if province is not None:
                return province
        return ""


def load(file: Path) -> Networks:
    """Read the file; without one nothing is known. Raises ``NetworksError``, ``OSError``."""
    try:
        text = file.read_text("utf-8-sig")
    except FileNotFoundError:
        return Networks()
    except UnicodeDecodeError as error:
        raise NetworksError(f"{file}: is not UTF-8: {error}") from error
    rows: list[tuple[str, str]] = []
    try:
        lines = list(csv.reader(text.splitlines()))
    except csv.Error as error:
        raise NetworksError(f"{file}: cannot be read as a table: {error}") from error
    for number, line in enumerate(lines, 1):
        cells = [unicodedata.normalize("NFC", cell).strip() for cell in line]
        if not any(cells) or cells[0].startswith("#") or tuple(cells) == HEAD:
            continue
        try:
            rows.append(_row(cells))
        except ValueError as error:
            raise NetworksError(f"{file}, line {number}: {error}") from error
    return Networks(rows)


def _row(cells: list[str]) -> tuple[str, str]:
    if len(cells) != 2 or not 0 < len(cells[1]) <= LONGEST_PROVINCE:
        raise ValueError("a line is a network and a province: 192.0.2.0/24,tỉnh Lai Châu")
    return str(ipaddress.ip_network(cells[0])), cells[1]
