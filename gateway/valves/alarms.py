"""Alarms of the supervisor: raised once, kept until over and heard.

No time stamps here (the supervisor has no wall clock): whoever hears an alarm first dates it.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Alarm:
    """One thing that is wrong. ``over`` alarms stay until the gateway has heard of them."""

    id: str
    code: str
    zone: str | None
    values: dict[str, Any]
    over: bool = False
    heard: bool = False


@dataclass
class Alarms:
    """The alarms by what they are about: one cause is one alarm."""

    _all: dict[tuple[str, str | None], Alarm] = field(default_factory=dict)

    def raise_(self, code: str, about: str | None = None, **values: Any) -> bool:
        """Raise an alarm unless it stands already. ``about`` is a zone, or a device's role.

        Returns whether it is new.
        """
        if self.stands(code, about):
            return False
        zone = about if "zone" in values else None
        self._all[code, about] = Alarm(str(uuid.uuid4()), code, zone, values)
        return True

    def stands(self, code: str, about: str | None = None) -> bool:
        """Whether it is raised and not over."""
        known = self._all.get((code, about))
        return known is not None and not known.over

    def clear(self, code: str, about: str | None = None) -> None:
        """The cause is gone."""
        known = self._all.get((code, about))
        if known is not None:
            known.over = True
            self._forget()

    def heard(self, ids: set[str]) -> None:
        """The gateway has these on its disk."""
        for alarm in self._all.values():
            alarm.heard = alarm.heard or alarm.id in ids
        self._forget()

    def standing(self) -> list[Alarm]:
        """All that are not over, and those over that nobody has heard of yet."""
        return list(self._all.values())

    def _forget(self) -> None:
        self._all = {k: a for k, a in self._all.items() if not (a.over and a.heard)}
