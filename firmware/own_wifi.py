"""The Wi-Fi that a board opens for its set-up page (``nongso.node.hardware.SetUpNetwork``).

It has the name and the password on the board's sticker, before the board has a name and whenever
it is opened again. A simulated board has no radio: its page listens on the machine.
"""

import sys

import board

from nongso.node.log import say


class OwnWifi:
    """The Wi-Fi of a board, and the farm's that it is to join."""

    def __init__(self):
        import network

        self._near = network.WLAN(network.AP_IF)
        self._far = network.WLAN(network.STA_IF)

    def number(self):
        """The EUI-64 of its Wi-Fi address, fffe in the middle."""
        self._far.active(True)
        mac = self._far.config("mac").hex()
        return mac[:6] + "fffe" + mac[6:]

    async def open(self, own_password):
        """Open its own Wi-Fi, with the password on its sticker; return where its page listens."""
        name = "tram-do-" + self.number()[-4:]
        port = board.setup_port()
        if port is not None:
            say("set-up: the Wi-Fi %s would open; the page is at port %d" % (name, port))
            return "127.0.0.1", port
        near = self._near
        if sys.platform == "esp32":
            near.active(True)
        if own_password:
            more = {"authmode": 3} if sys.platform == "esp32" else {}
            near.config(ssid=name, password=own_password, **more)
        else:
            near.config(ssid=name)
        near.active(True)
        say("set-up: join the Wi-Fi %s and open http://192.168.4.1" % name)
        return "0.0.0.0", 80

    def close(self):
        """Close its own Wi-Fi."""
        self._near.active(False)

    async def join(self, ssid, password):
        """Join the farm's Wi-Fi. Raises ``OSError``."""
        await board.join(self._far, ssid, password)
