"""`text/event-stream`, decoded without I/O."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import NamedTuple

from .problem import Unavailable

_LINE_CHARS_MAX = 64 * 1024 * 1024
"""Above this a line is no event of the relay's (whose largest are far below a mebibyte)."""


class Message(NamedTuple):
    """One dispatched event of a stream."""

    event: str
    data: str
    id: str
    """The last id that the stream named, up to here."""


class SseDecoder:
    """https://html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.6, wherever the bytes are
    cut. An event whose blank line has not come is not dispatched, so what a cut leaves behind is
    asked for again.
    """

    def __init__(self) -> None:
        self.retry_s: float | None = None
        """How long the server asks to wait before a new connection."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._begun = False
        self._after_return = False
        self._event = ""
        self._data: list[str] = []
        self._id = ""

    def push(self, chunk: bytes) -> Iterator[Message]:
        """The messages that end in this chunk."""
        text = self._decoder.decode(chunk)
        if text and not self._begun:
            self._begun = True
            text = text.removeprefix("\ufeff")
        if text and self._after_return:
            self._after_return = False
            text = text.removeprefix("\n")
        if "\r" in text:
            self._after_return = text.endswith("\r")
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > _LINE_CHARS_MAX:
            raise Unavailable("a line of the stream has no end")
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                yield self._dispatch()
            else:
                self._event = ""

    def _take(self, line: str) -> None:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._event = value
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "retry" and value.isascii() and value.isdecimal():
            self.retry_s = int(value) / 1000

    def _dispatch(self) -> Message:
        message = Message(self._event or "message", "\n".join(self._data), self._id)
        self._event = ""
        self._data.clear()
        return message
