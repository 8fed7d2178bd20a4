"""The blocking client."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

from .address import ANSWER_S, PART_BYTES, RETRIED, OnRetry, Settings, query
from .follow import Answer, Place, take_event, take_item
from .problem import ProblemError
from .record import Event, Item, State, StateRow
from .sse import Message

T = TypeVar("T")


class Calls:
    """What can be asked, for the blocking client and for asyncio."""

    def __init__(
        self,
        data_dir: str | PathLike[str] | None = None,
        *,
        socket: str | PathLike[str] | None = None,
        url: str | None = None,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
        heartbeat_timeout_s: float = 45,
        retry_s: float | None = None,
        retry_s_max: float = 30,
        on_retry: OnRetry | None = None,
    ) -> None:
        """`data_dir`: of a service on this machine; its address and token are read from there. Or
        `socket`, its `relay.sock`, which asks no token. Or `url` and `token`.

        A stream that says nothing for `heartbeat_timeout_s` is dropped: three of the relay's
        heartbeats. The first wait lies anywhere below `retry_s` (`None`: what the relay asks for),
        and that bound doubles up to `retry_s_max`. `on_retry` is told of each failure that is
        retried; nothing else tells of them.
        """
        self._settings = Settings(
            Path(data_dir) if data_dir is not None else None,
            Path(socket) if socket is not None else None,
            url,
            token,
            tls,
            heartbeat_timeout_s,
            retry_s,
            retry_s_max,
            on_retry,
        )


class Unbroken(Calls):
    """The relay of one Unbroken service.

    Iterators go on for ever: whatever fails is tried again from the cursor. What another attempt
    cannot mend (410, 409, 401 and the other refusals) is raised as a `ProblemError`. The other calls
    ask once and raise whatever goes wrong.
    """

    def events(
        self,
        after: str = "oldest",
        *,
        source: str | None = None,
        keys: Iterable[str] | None = None,
        key_prefix: str | None = None,
        kinds: Iterable[str] | None = None,
    ) -> Follower[Event]:
        """Every event behind `after` (a cursor, `latest` or `oldest`), then each as it comes. Each
        once and in order; `event.cursor` is the place to go on from."""
        text = query(source=source, key=keys, key_prefix=key_prefix, kind=kinds)
        return Follower(self, text, after, take_event)

    def from_state(
        self,
        *,
        source: str | None = None,
        keys: Iterable[str] | None = None,
        key_prefix: str | None = None,
        kinds: Iterable[str] | None = None,
    ) -> Follower[Item]:
        """List, then watch, without a hole: the rows of state, then `Synced` with the cursor at
        which they are exact, then the events behind it. No row comes before all are here, so a half
        snapshot is never seen."""
        text = query(source=source, key=keys, key_prefix=key_prefix, kind=kinds)
        return Follower(self, text, None, take_item)

    def state(
        self,
        *,
        source: str | None = None,
        keys: Iterable[str] | None = None,
        key_prefix: str | None = None,
        status: str | None = None,
        tombstones: bool | None = None,
    ) -> State:
        """The value of each key, in one read, and the cursor at which it is exact."""
        text = query(
            source=source, key=keys, key_prefix=key_prefix, status=status, tombstones=tombstones
        )
        answer = self._ask("GET", f"/v1/state?{text}")
        return State(answer["cursor"], [StateRow.parse(row) for row in answer["rows"]])

    def gaps(
        self, *, source: str | None = None, open: bool | None = None
    ) -> list[dict[str, Any]]:
        """The gap ledger."""
        rows = self._ask("GET", f"/v1/gaps?{query(source=source, open=open)}")["gaps"]
        return list(rows)

    def sources(self) -> list[dict[str, Any]]:
        """Each source with its streams: is it live, since when, what it waits for."""
        return list(self._ask("GET", "/v1/sources")["sources"])

    def resync(self, source: str, keys: Iterable[str] | None = None) -> list[str]:
        """Has state fetched afresh, of all keys or of some. Answers with the streams that will."""
        body = {} if keys is None else {"keys": list(keys)}
        path = f"/v1/sources/{quote(source, safe='')}/resync"
        return list(self._ask("POST", path, body)["streams"])

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """One answer."""
        answer = Answer()
        for data in self._receive(method, path, body, ANSWER_S):
            answer.push(data)
            if answer.response.is_whole:
                break
        else:
            answer.response.end()
        return answer.value()

    def _receive(
        self, method: str, path: str, body: Any, silent_s: float
    ) -> Generator[bytes, None, None]:
        """The bytes of the answer, until the other side ends it."""
        address = self._settings.address()
        with closing(_connect(address.socket, address.host, address.port, silent_s)) as plain:
            tls = address.tls
            with tls.wrap_socket(plain, server_hostname=address.host) if tls else plain as stream:
                stream.sendall(address.request(method, path, body))
                while data := stream.recv(PART_BYTES):
                    yield data


def _connect(path: Path | None, host: str, port: int, silent_s: float) -> socket.socket:
    if path is None:
        return socket.create_connection((host, port), silent_s)
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(silent_s)
    try:
        stream.connect(str(path))
    except OSError:
        stream.close()
        raise
    return stream


class Follower(Generic[T]):
    """An iterator over what comes behind a cursor, over as many connections as it takes. `close`
    closes the connection, as does the end of a `with`."""

    def __init__(
        self,
        client: Unbroken,
        text: str,
        after: str | None,
        take: Callable[[Place[T], Message], Iterator[T]],
    ) -> None:
        self._client = client
        self._place = Place(client._settings, text, after, take)
        self._items = self._follow()

    @property
    def cursor(self) -> str | None:
        """Of a reader who has read all that was handed out, and what a filter passed over."""
        return self._place.cursor

    def close(self) -> None:
        self._items.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        return next(self._items)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _follow(self) -> Generator[T, None, None]:
        place, client = self._place, self._client
        while True:
            try:
                if place.cursor == "latest":
                    # A stream asked for `latest` again after a cut would begin at another end.
                    page = client._ask("GET", "/v1/events?after=latest&limit=1")
                    place.cursor = page["cursor"]
                connection = place.connection()
                silent_s = client._settings.heartbeat_timeout_s
                with closing(client._receive("GET", place.path(), None, silent_s)) as received:
                    for data in received:
                        yield from connection.push(data)
                connection.end()
            except ProblemError:
                raise
            except RETRIED as error:
                delay_s = place.handle_failure(error)
            time.sleep(delay_s)
