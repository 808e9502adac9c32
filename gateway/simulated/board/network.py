"""Stands in for a board's ``network``: the machine is in its network, so joining succeeds.

``refuse`` makes the access point unreachable, for tests of how the node waits and retries.
``NONGSO_MAC`` (12 hex digits) gives a board an address of its own, where there are several.
"""

import os

STA_IF = 0
AP_IF = 1

refuse = False


class WLAN:
    """A Wi-Fi interface."""

    def __init__(self, interface: int = STA_IF) -> None:
        self._is_active = False
        self._is_joined = False

    def active(self, is_active: bool | None = None) -> bool:
        """Switch the interface, or say whether it is on."""
        if is_active is None:
            return self._is_active
        self._is_active = is_active
        if not is_active:
            self._is_joined = False
        return is_active

    def connect(self, ssid: str | None = None, password: str | None = None) -> None:
        """Join a network."""
        if not self._is_active:
            raise OSError("Wifi Internal Error")
        self._is_joined = not refuse

    def disconnect(self) -> None:
        """Leave the network."""
        self._is_joined = False

    def isconnected(self) -> bool:
        """Say whether the interface has joined a network."""
        return self._is_joined

    def config(self, what: str) -> bytes:
        """Return the address of the interface."""
        if what != "mac":
            raise ValueError(what)
        getenv = getattr(os, "getenv", None)
        return bytes.fromhex((getenv and getenv("NONGSO_MAC")) or "021122334455")

    def ifconfig(self) -> tuple[str, str, str, str]:
        """Address, netmask, gateway, name server."""
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")
