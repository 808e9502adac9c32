"""What can go wrong in the gateway, by name. Each message says what to do next."""


class GatewayError(Exception):
    """Anything of ours that stops one thing and nothing else."""


class SettingsError(GatewayError):
    """``gateway.json`` cannot be used as it is; the text names the key and the way out."""


class StoreError(GatewayError):
    """The store cannot be used at all: held by another process, or read by too old a SQLite."""


class StoreUnwritable(GatewayError):
    """The disk takes nothing now (full, read-only, failing); it is tried again."""


class StoreDamaged(GatewayError):
    """The file is not a sound store of ours; it is set aside and a new one begun."""


class StoreBusy(GatewayError):
    """More is waiting for the disk than the store holds in memory; nothing was taken."""


class PlatformSilent(GatewayError):
    """No answer came from the platform: no network, no name, no certificate, no time."""


class PlatformRefused(GatewayError):
    """The platform answered, but not with what was agreed. ``status`` is the HTTP status."""

    def __init__(self, status: int, advice: str, retry_seconds: float | None = None) -> None:
        super().__init__(advice)
        self.status = status
        self.retry_seconds = retry_seconds
