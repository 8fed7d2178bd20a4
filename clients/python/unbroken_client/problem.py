"""What can go wrong: what another attempt cannot mend, and what it may."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_LATER = {408, 425, 429}
"""Of the 4xx those that say "later": request timeout, too early, too many requests."""


class ProblemError(Exception):
    """The relay said no, and would say so again: nobody but the caller can decide what to do."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        parts = (problem.get(name) for name in ("title", "detail", "hint"))
        super().__init__("; ".join(str(part) for part in parts if part) or f"status {status}")
        self.status = status
        self.problem = problem
        """The problem's members (RFC 9457)."""
        self.code = str(problem.get("type", "")).rpartition("/")[2]
        """Its short name: `cursor-expired`, `journal-changed`, `cursor-ahead`, …"""
        self.oldest: str | None = problem.get("oldest")
        """With `cursor-expired` and `journal-changed`: the cursor of the oldest record kept."""
        self.latest: str | None = problem.get("latest")
        """With `cursor-ahead`: the cursor of the end."""


class Unavailable(Exception):
    """Something that another attempt may mend: a cut, a restart, a proxy without its service."""

    def __init__(self, text: str, retry_after_s: float = 0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


def failure(status: int, headers: Mapping[str, str], body: bytes) -> ProblemError | Unavailable:
    """What an answer without success means."""
    if not 400 <= status < 500 or status in _LATER:
        seconds = headers.get("retry-after", "")
        return Unavailable(f"status {status}", int(seconds) if seconds.isdecimal() else 0)
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    return ProblemError(status, problem if isinstance(problem, dict) else {"status": status})
