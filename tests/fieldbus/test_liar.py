"""Whatever comes over the line: no value that was not said, and no error without a name."""

import liar
import pytest


@pytest.mark.parametrize("framing", ["rtu", "tcp"])
def test_no_lie_is_believed(framing: str) -> None:
    outcome = liar.run(3000, framing)
    assert outcome.uncaught == []
    assert outcome.wrong == []
    assert 1300 < outcome.valid_sums < 1700
    assert outcome.believed > 100, "good answers count, or nothing was tried"
    assert set(outcome.answers) == {"NoAnswer", "AnswerUnfit", "UnitRefused"}
