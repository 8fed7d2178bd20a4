"""Where the relay is: a data directory, a Unix socket, or a URL and a token."""

from __future__ import annotations

import json
import random
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from .http1 import request
from .problem import Unavailable

OnRetry = Callable[[Exception, float], None]
"""Told of each failure that is retried, and of how many seconds the wait is."""

PART_BYTES = 64 * 1024
"""As much is read at once."""

ANSWER_S = 30
"""How long an answer may be silent that is not a stream."""

RETRIED = (OSError, Unavailable, ValueError)
"""What another attempt may mend: cuts and timeouts, a relay that is not there, broken answers."""


@dataclass(frozen=True)
class Settings:
    """Where the relay is and how to wait for it, checked once."""

    data_dir: Path | None
    socket: Path | None
    url: str | None
    token: str | None
    tls: ssl.SSLContext | None
    heartbeat_timeout_s: float
    retry_s: float | None
    retry_s_max: float
    on_retry: OnRetry | None

    def __post_init__(self) -> None:
        given = [place for place in (self.data_dir, self.socket, self.url) if place is not None]
        if len(given) != 1:
            raise TypeError("one of data_dir, socket and url is needed")
        if self.url is not None:
            _Address.parse(self.url, self.token, self.tls)

    def address(self) -> _Address:
        """Read anew for each request: a service with port 0 comes back at another address, and a
        token may have been rotated."""
        if self.url is not None:
            return _Address.parse(self.url, self.token, self.tls)
        if self.data_dir is None:
            return _Address("localhost", 0, "localhost", "", None, None, self.socket)
        address = (self.data_dir / "relay.addr").read_text().strip()
        token = (self.data_dir / "relay.token").read_text().strip()
        if "://" not in address:
            address = f"http://{_reachable(address)}"
        return _Address.parse(address, token, self.tls)

    def delay_s(self, failures: int, asked_s: float | None, error: Exception) -> float:
        """Anywhere below a bound that doubles: a thousand clients of a restarted relay do not come
        at once. What the other side asked for comes first."""
        first = self.retry_s if self.retry_s is not None else asked_s
        bound = min((1 if first is None else first) * 2.0 ** min(failures, 30), self.retry_s_max)
        after = error.retry_after_s if isinstance(error, Unavailable) else 0
        return after + random.random() * bound


@dataclass(frozen=True)
class _Address:
    host: str
    port: int
    authority: str
    """What stands in the `Host` field."""
    prefix: str
    token: str | None
    tls: ssl.SSLContext | None
    socket: Path | None

    @classmethod
    def parse(cls, url: str, token: str | None, tls: ssl.SSLContext | None) -> _Address:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url {url!r} is not like http://127.0.0.1:8470")
        if token is not None and not (token.isascii() and token.isprintable()):
            raise ValueError("the token has characters that no token has")
        secure = parts.scheme == "https"
        context = tls or ssl.create_default_context() if secure else None
        port = parts.port or (443 if secure else 80)
        authority, prefix = parts.netloc.rpartition("@")[2], parts.path.rstrip("/")
        return cls(parts.hostname, port, authority, prefix, token, context, None)

    def request(self, method: str, path: str, body: Any = None) -> bytes:
        headers = {"Host": self.authority, "Accept": "text/event-stream, application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        encoded = None if body is None else json.dumps(body).encode()
        return request(method, self.prefix + path, headers, encoded)


def _reachable(address: str) -> str:
    """The address that a service on all addresses has for its own machine."""
    host, _, port = address.rpartition(":")
    return f"{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"


def query(**members: str | bool | Iterable[str] | None) -> str:
    """As it stands behind the `?`; lists are repeated, `None` is left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in members.items():
        if isinstance(value, bool):
            pairs.append((name, str(value).lower()))
        elif isinstance(value, str):
            pairs.append((name, value))
        elif value is not None:
            pairs.extend((name, one) for one in value)
    return urlencode(pairs)
