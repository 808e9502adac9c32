"""What a rule answers: go on, say why first, or no.

The rules themselves (``rules_yield``, ``rules_area``, ``rules_use``) take values and return a
``Verdict``; they read no database and no clock. ``operations`` turns a verdict into an error
with a name, ``sentences`` into words.
"""

from dataclasses import dataclass, field

OK, ASK, REFUSE = "ok", "ask", "refuse"


@dataclass(frozen=True)
class Verdict:
    """``ASK`` is answered by a reason that is recorded; ``REFUSE`` by nothing.

    ``code`` is stable, for programs, and empty where all is well. ``values`` are what the
    sentence needs.
    """

    answer: str = OK
    code: str = ""
    values: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Say whether nothing stands in the way."""
        return self.answer == OK


FINE = Verdict()
