"""Reads Unbroken's relay. Begin with `Unbroken`, or with `AsyncUnbroken`."""

from .aio import AsyncFollower, AsyncUnbroken
from .client import Follower, Unbroken
from .problem import ProblemError, Unavailable
from .record import Event, Item, State, StateRow, Synced

__all__ = [
    "AsyncFollower",
    "AsyncUnbroken",
    "Event",
    "Follower",
    "Item",
    "ProblemError",
    "State",
    "StateRow",
    "Synced",
    "Unavailable",
    "Unbroken",
]
