"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

from .address import ANSWER_S, PART_BYTES, RETRIED, query
from .client import Calls
from .follow import Answer, Place, take_event, take_item
from .problem import ProblemError
from .record import Event, Item, State, StateRow
from .sse import Message

T = TypeVar("T")


class AsyncUnbroken(Calls):
    """As `Unbroken`, for asyncio: iterators are for `async for`, the other calls are awaited."""

    def events(
        self,
        after: str = "oldest",
        *,
        source: str | None = None,
        keys: Iterable[str] | None = None,
        key_prefix: str | None = None,
        kinds: Iterable[str] | None = None,
    ) -> AsyncFollower[Event]:
        """Every event behind `after` (a cursor, `latest` or `oldest`), then each as it comes. Each
        once and in order; `event.cursor` is the place to go on from."""
        text = query(source=source, key=keys, key_prefix=key_prefix, kind=kinds)
        return AsyncFollower(self, text, after, take_event)

    def from_state(
        self,
        *,
        source: str | None = None,
        keys: Iterable[str] | None = None,
        key_prefix: str | None = None,
        kinds: Iterable[str] | None = None,
    ) -> AsyncFollower[Item]:
        """List, then watch, without a hole: the rows of state, then `Synced` with the cursor at
        which they are exact, then the events behind it. No row comes before all are here, so a half
        snapshot is never seen."""
        text = query(source=source, key=keys, key_prefix=key_prefix, kind=kinds)
        return AsyncFollower(self, text, None, take_item)

    async def state(
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
        answer = await self._ask("GET", f"/v1/state?{text}")
        return State(answer["cursor"], [StateRow.parse(row) for row in answer["rows"]])

    async def gaps(
        self, *, source: str | None = None, open: bool | None = None
    ) -> list[dict[str, Any]]:
        """The gap ledger."""
        rows = await self._ask("GET", f"/v1/gaps?{query(source=source, open=open)}")
        return list(rows["gaps"])

    async def sources(self) -> list[dict[str, Any]]:
        """Each source with its streams: is it live, since when, what it waits for."""
        return list((await self._ask("GET", "/v1/sources"))["sources"])

    async def resync(self, source: str, keys: Iterable[str] | None = None) -> list[str]:
        """Has state fetched afresh, of all keys or of some. Answers with the streams that will."""
        body = {} if keys is None else {"keys": list(keys)}
        path = f"/v1/sources/{quote(source, safe='')}/resync"
        return list((await self._ask("POST", path, body))["streams"])

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """One answer."""
        answer = Answer()
        async with aclosing(self._receive(method, path, body, ANSWER_S)) as received:
            async for data in received:
                answer.push(data)
                if answer.response.is_whole:
                    break
            else:
                answer.response.end()
        return answer.value()

    async def _receive(
        self, method: str, path: str, body: Any, silent_s: float
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of the answer, until the other side ends it."""
        address = self._settings.address()
        async with asyncio.timeout(silent_s):
            if address.socket is not None:
                reader, writer = await asyncio.open_unix_connection(address.socket)
            else:
                reader, writer = await asyncio.open_connection(
                    address.host, address.port, ssl=address.tls
                )
        try:
            writer.write(address.request(method, path, body))
            while True:
                # Only silence counts, not the time that the caller takes for what came.
                async with asyncio.timeout(silent_s):
                    data = await reader.read(PART_BYTES)
                if not data:
                    return
                yield data
        finally:
            writer.transport.abort()


class AsyncFollower(Generic[T]):
    """An iterator over what comes behind a cursor, over as many connections as it takes. `aclose`
    closes the connection, as does the end of an `async with`."""

    def __init__(
        self,
        client: AsyncUnbroken,
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

    async def aclose(self) -> None:
        await self._items.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        return await anext(self._items)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _follow(self) -> AsyncGenerator[T, None]:
        place, client = self._place, self._client
        while True:
            try:
                if place.cursor == "latest":
                    # A stream asked for `latest` again after a cut would begin at another end.
                    page = await client._ask("GET", "/v1/events?after=latest&limit=1")
                    place.cursor = page["cursor"]
                connection = place.connection()
                silent_s = client._settings.heartbeat_timeout_s
                received = client._receive("GET", place.path(), None, silent_s)
                async with aclosing(received):
                    async for data in received:
                        for item in connection.push(data):
                            yield item
                connection.end()
            except ProblemError:
                raise
            except RETRIED as error:
                delay_s = place.handle_failure(error)
            await asyncio.sleep(delay_s)
