"""A relay of a few events that can cut its answers after any byte, or never finish them."""

from __future__ import annotations

import json
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Any, Callable
from urllib.parse import parse_qs, urlsplit

JOURNAL = "0190000000007000800000000000abcd"


def cursor(offset: int) -> str:
    return f"{JOURNAL}:{offset}"


def event(offset: int) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": cursor(offset),
        "source": "/cx/adherence",
        "type": "unbroken.change",
        "subject": f"agent-{offset}",
        "time": "2026-01-01T00:00:00.000Z",
        "datacontenttype": "application/json",
        "cursor": cursor(offset + 1),
        "data": {"key": f"agent-{offset}", "payload": {"name": "Zoë 🙂", "line": "a\r\nb"}},
    }


def frame(name: str, data: Any, id: str | None = None) -> str:
    head = "" if id is None else f"id: {id}\n"
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def event_frame(offset: int) -> str:
    return frame("unbroken.change", event(offset), cursor(offset + 1))


def sse(*frames: str) -> bytes:
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = (text.encode() for text in ("retry: 1000\n\n", *frames))
    return head.encode() + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


def answer(body: Any, status: int = 200, head: str = "") -> Answer:
    text = json.dumps(body).encode()
    fields = f"HTTP/1.1 {status} Whatever\r\n{head}content-length: {len(text)}\r\n\r\n"
    return Answer(fields.encode() + text, end=True)


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """Without `end`, the connection stays open behind it."""

    data: bytes
    cut: int | None = None
    """Only so many bytes are sent."""
    how: str = "end"
    """What is done at the cut: end, reset, silence."""
    end: bool = False


class FakeRelay:
    """Each connection serves one request, in a thread of its own."""

    def __init__(self, reply: Callable[[Request, int], Answer], path: str | None = None) -> None:
        self.requests: list[Request] = []
        self.open = 0
        self._reply = reply
        self._server = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._server.bind(path or ("127.0.0.1", 0))
        self._server.listen(64)
        self._lock = threading.Lock()
        self._streams: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        host, port = self._server.getsockname()
        return f"{host}:{port}"

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
        with self._lock:
            for stream in self._streams:
                stream.close()

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        try:
            request = read_request(stream)
            with self._lock:
                self._streams.append(stream)
                self.requests.append(request)
                self.open += 1
                count = len(self.requests)
            reply = self._reply(request, count)
            stream.sendall(reply.data if reply.cut is None else reply.data[: reply.cut])
            if reply.cut is not None and reply.how == "reset":
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif not reply.end and (reply.cut is None or reply.how == "silence"):
                while stream.recv(1024):
                    pass
        except OSError:
            pass
        with self._lock:
            self.open -= 1
            stream.close()


def read_request(stream: socket.socket) -> Request:
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(stream)
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
    while len(body) < int(headers.get("content-length", 0)):
        body += receive(stream)
    method, target, _ = line.split(" ")
    url = urlsplit(target)
    return Request(method, url.path, parse_qs(url.query), headers, body)


def receive(stream: socket.socket) -> bytes:
    data = stream.recv(4096)
    if not data:
        raise ConnectionError("the client has gone")
    return data
