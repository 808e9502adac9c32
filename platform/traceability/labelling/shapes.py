"""What programs are told of labels."""

from typing import TypedDict

from nongso.platform.traceability.shapes import RangeAnswer


class IssueAnswer(TypedDict):
    """Labels that were issued together, and where their sheet lies."""

    id: str
    lot: str
    at: int
    range: RangeAnswer
    pdf: str


class LabelsAnswer(IssueAnswer):
    """An issue with the address in each code, in the order of the sheet."""

    codes: list[str]


class AccountAnswer(TypedDict):
    """Where all labels of a lot are: issued = applied + spoiled + returned + left."""

    issued: int
    applied: int
    spoiled: int
    returned: int
    left: int
    may_be_issued: int


class LabelsOfLotAnswer(TypedDict):
    """The account of a lot's labels and its issues."""

    lot: str
    account: AccountAnswer
    issues: list[IssueAnswer]


class RollAnswer(TypedDict):
    """Labels printed without a lot, with the address in each code."""

    id: str
    product: str
    count: int
    pdf: str
    codes: list[str]
