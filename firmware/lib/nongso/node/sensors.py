"""The word that a sensor gives instead of a number."""


class SensorFault(Exception):
    """A sensor gave no number. ``status`` is one of ``nongso.wire.payload.STATUSES``.

    ``absent``: nothing answers at its place. ``crc_error``: garbled on the way.
    ``out_of_range``: what came cannot be the quantity. ``stuck``: the same to the last
    bit for too long. ``failed``: it answered, but gave no measurement.
    """

    def __init__(self, status: str, detail: str = "") -> None:
        super().__init__(detail or status)
        self.status = status
