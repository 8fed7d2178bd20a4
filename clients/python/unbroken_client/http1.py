"""As much of HTTP/1.1 as the relay's answers need (RFC 9112), without I/O: the same code reads for
the blocking client and for asyncio, from TCP, TLS or a Unix socket.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .problem import Unavailable

_HEAD_BYTES_MAX = 64 * 1024


def request(
    method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
) -> bytes:
    """A request whose connection serves nothing else."""
    fields = {**headers, "Connection": "close"}
    if body is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")


class ResponseDecoder:
    """`push` what comes and `end` when nothing more does. The head is known once `status` is not 0,
    and nothing is missing once `is_whole`.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        """Names in small letters."""
        self.is_whole = False
        self._buffer = bytearray()
        self._chunked = False
        self._left: int | None = None
        """Of the chunk or the body; `None`: a chunk's size comes next, or the body has no length."""

    def push(self, data: bytes) -> Iterator[bytes]:
        """The parts of the body that are in `data`."""
        self._buffer += data
        if self.status == 0 and not self._decode_head():
            return
        if not self._chunked:
            yield from self._plain()
            return
        while not self.is_whole and (part := self._chunk()) is not None:
            if part:
                yield part

    def end(self) -> None:
        """Raises if something is missing."""
        if self.status != 0 and not self._chunked and self._left is None:
            self.is_whole = True
        if not self.is_whole:
            raise Unavailable("the answer was cut")

    def _decode_head(self) -> bool:
        head, end, body = bytes(self._buffer).partition(b"\r\n\r\n")
        if not end:
            if len(head) > _HEAD_BYTES_MAX:
                raise Unavailable("the head of the answer has no end")
            return False
        start, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = start.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise Unavailable("the answer is not HTTP/1.1")
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self.status = int(rest[:3])
        self._chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        length = self.headers.get("content-length", "")
        if not self._chunked:
            self._left = int(length) if length.isdecimal() else None
            if self.status in (204, 304):
                self._left = 0
        self._buffer = bytearray(body)
        return True

    def _plain(self) -> Iterator[bytes]:
        part = bytes(self._buffer if self._left is None else self._buffer[: self._left])
        self._buffer.clear()
        if self._left is not None:
            self._left -= len(part)
            self.is_whole = self._left == 0
        if part:
            yield part

    def _chunk(self) -> bytes | None:
        """The next part of a chunk; `b""` where only its frame went on; `None`: more is needed."""
        if self._left is None:
            line, end, rest = bytes(self._buffer).partition(b"\r\n")
            if not end:
                if len(line) > _HEAD_BYTES_MAX:
                    raise Unavailable("the size of a chunk has no end")
                return None
            try:
                # Its line's end counts as a part of the chunk.
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                raise Unavailable("the size of a chunk is no number") from None
            self._buffer = bytearray(rest)
            self._left = size + 2
            # Trailers mean nothing here, and the connection serves nothing else.
            self.is_whole = size == 0
            return b""
        if not self._buffer:
            return None
        taken = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        body = taken[: max(self._left - 2, 0)]
        self._left = self._left - len(taken) or None
        return body
