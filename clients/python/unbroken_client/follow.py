"""The place in the record and what moves it, without I/O: blocking and asyncio share it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from .address import Settings, query
from .http1 import ResponseDecoder
from .problem import Unavailable, failure
from .record import Event, Item, StateRow, Synced
from .sse import Message, SseDecoder

T = TypeVar("T")


class Place(Generic[T]):
    """A reader's place, over as many connections as it takes."""

    def __init__(
        self,
        settings: Settings,
        text: str,
        after: str | None,
        take: Callable[[Place[T], Message], Iterator[T]],
    ) -> None:
        self.cursor = after
        self.rows: list[StateRow] | None = [] if after is None else None
        """Rows of a state that is not whole yet; `None`: state is not asked for."""
        self._settings = settings
        self._text = text
        self._take = take
        self._failures = 0
        self._retry_s: float | None = None

    def path(self) -> str:
        """What the next connection asks for."""
        place = "from=state" if self.rows is not None else query(after=self.cursor)
        return f"/v1/events/stream?{'&'.join(filter(None, (self._text, place)))}"

    def connection(self) -> Connection[T]:
        """Begins a new one: what an earlier one left half done is forgotten."""
        if self.rows is not None:
            self.rows = []
        return Connection(self, self._take)

    def handle_message(self, decoder: SseDecoder) -> None:
        self._failures = 0
        self._retry_s = decoder.retry_s if decoder.retry_s is not None else self._retry_s

    def handle_failure(self, error: Exception) -> float:
        """How long to wait, in seconds."""
        delay_s = self._settings.delay_s(self._failures, self._retry_s, error)
        self._failures += 1
        if self._settings.on_retry is not None:
            self._settings.on_retry(error, delay_s)
        return delay_s


class Answer:
    """One whole answer in JSON."""

    def __init__(self) -> None:
        self.response = ResponseDecoder()
        self.body = bytearray()

    def push(self, data: bytes) -> None:
        for part in self.response.push(data):
            self.body += part

    def value(self) -> Any:
        """What it says; raises if it says no."""
        if not 200 <= self.response.status < 300:
            raise failure(self.response.status, self.response.headers, bytes(self.body))
        return json.loads(self.body)


class Connection(Generic[T]):
    """One answer that is a stream."""

    def __init__(
        self, place: Place[T], take: Callable[[Place[T], Message], Iterator[T]]
    ) -> None:
        self._place = place
        self._take = take
        self._answer = Answer()
        self._decoder = SseDecoder()

    def push(self, data: bytes) -> Iterator[T]:
        """What is to be handed out."""
        response = self._answer.response
        for part in response.push(data):
            if response.status != 200:
                self._answer.body += part
                continue
            kind = response.headers.get("content-type", "nothing")
            if not kind.startswith("text/event-stream"):
                raise Unavailable(f"a stream was asked for, and {kind} came")
            for message in self._decoder.push(part):
                self._place.handle_message(self._decoder)
                yield from self._take(self._place, message)
        if response.is_whole:
            self.end()

    def end(self) -> None:
        """Nothing more comes: always raises."""
        response = self._answer.response
        if response.status not in (0, 200):
            raise failure(response.status, response.headers, bytes(self._answer.body))
        raise Unavailable("the stream was cut" if response.status else "no answer came")


def take_event(place: Place[Any], message: Message) -> Iterator[Event]:
    """An event, or what only moves the place."""
    if message.event == "unbroken.end":
        # Why is told again by the answer to the next request, with its status.
        raise Unavailable(f"ended: {message.data}")
    if message.event == "unbroken.heartbeat":
        place.cursor = message.id or place.cursor
        return
    event = Event.parse(json.loads(message.data))
    place.cursor = event.cursor
    yield event


def take_item(place: Place[Item], message: Message) -> Iterator[Item]:
    """A row, once all of them are here; then events."""
    if place.rows is None:
        yield from take_event(place, message)
    elif message.event == "unbroken.state":
        place.rows.append(StateRow.parse(json.loads(message.data)))
    elif message.event == "unbroken.synced":
        rows, place.rows = place.rows, None
        yield from rows
        place.cursor = message.id
        yield Synced(message.id)
    elif message.event != "unbroken.heartbeat":
        raise Unavailable(f"{message.event} came before the state was whole")
