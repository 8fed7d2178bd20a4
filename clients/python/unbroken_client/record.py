"""What the relay sends. Every member is described in `docs/reference/record.md`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from .problem import Unavailable


class _Parsed:
    """Made from an object of the relay's, whatever further members it has."""

    @classmethod
    def parse(cls, members: Mapping[str, Any]) -> Self:
        try:
            names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
            return cls(**{name: members.get(name) for name in names})
        except (AttributeError, TypeError) as error:
            raise Unavailable(f"no {cls.__name__.lower()}: {members!r:.40}") from error


@dataclass(frozen=True, slots=True)
class Event(_Parsed):
    """A record of the log, as a CloudEvent 1.0."""

    id: str
    """With `source`, the record's name for ever."""
    source: str
    """`/` and the stream's name: `/cxone/adherence`."""
    type: str
    """`unbroken.change`, `unbroken.gap_opened`, …"""
    subject: str | None
    """The key that the record is about, where there is one."""
    time: str
    """The vendor's time where there is one, else ours."""
    cursor: str
    """To go on behind this event. Store it together with what the event brought about."""
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StateRow(_Parsed):
    """The present value of a key."""

    stream: str
    """`source/stream`."""
    key: str
    present: bool
    """`False`: the key was deleted (a tombstone)."""
    version: str | None
    offset: int
    occurred_at: str | None
    received_at: str
    stale_since: str | None
    """Since when an outage may have outdated the value; `None`: it is current."""
    payload: Any


@dataclass(frozen=True, slots=True)
class Synced:
    """The rows before are state exactly at `cursor`."""

    cursor: str


@dataclass(frozen=True, slots=True)
class State:
    """State, exact at `cursor`: `events(after=cursor)` goes on without a hole."""

    cursor: str
    rows: list[StateRow]


Item = StateRow | Synced | Event
"""What `from_state` yields, in this order: rows, `Synced` once, events."""
