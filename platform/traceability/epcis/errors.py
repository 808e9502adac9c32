"""What EPCIS answers when something is wrong: its exceptions, each with its status.

The names are those of the standard's REST binding; ``type`` of a problem is
``epcisException:<name>``.
"""

from typing import Any

STATUS = {
    "ValidationException": 400,
    "QueryParameterException": 400,
    "SecurityException": 403,
    "NoSuchNameException": 404,
    "NoSuchResourceException": 404,
    "NotAcceptableException": 406,
    "DuplicateNameException": 409,
    "ResourceAlreadyExistsException": 409,
    "CaptureLimitExceededException": 413,
    "QueryTooLargeException": 413,
    "URITooLongException": 414,
    "UnsupportedMediaTypeException": 415,
    "ImplementationException": 500,
}


class EpcisError(Exception):
    """An answer of 4xx or 5xx: the exception's name, a sentence, and what else helps."""

    def __init__(self, name: str, detail: str, status: int = 0, **more: Any) -> None:
        super().__init__(detail)
        self.name = name
        self.detail = detail
        self.status = status or STATUS[name]
        self.more = more

    def problem(self) -> dict[str, Any]:
        """Return the problem details (RFC 9457, once RFC 7807)."""
        return {
            "type": f"epcisException:{self.name}",
            "title": self.name,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }


def invalid(detail: str, **more: Any) -> EpcisError:
    """What was sent is no valid EPCIS."""
    return EpcisError("ValidationException", detail, **more)


def bad_query(detail: str, **more: Any) -> EpcisError:
    """A parameter of a question cannot be read."""
    return EpcisError("QueryParameterException", detail, **more)
