"""Whose shape: a careful Python engineer with `websockets` and its reconnect iterator.

The library reconnects by itself, at once after a connection, with growing waits after failures. On
every connection this asks for the events after the last one it has seen; that number comes from the
baseline at the first start, and again when the vendor refuses it.

The position is kept over a restart: it stands in the event itself, so whoever stores the events finds
it there (`SELECT max(sequence_id)`), and this is told it. State is not kept and is fetched anew.

What makes it honest: all pages, the position of the first one; the iterator's connection is made
anew with a new token once the token is refused; pings are sent and answered, a silent peer is dropped
(the library's keepalive); one message that cannot be read does not end the program.
"""

import asyncio
import itertools
import json
import logging
import os

import httpx
from websockets.asyncio.client import connect
from websockets.client import backoff
from websockets.exceptions import ConnectionClosed, InvalidStatus

API_URL = os.environ["VENDOR_API_URL"]
STREAM_URL = os.environ["VENDOR_STREAM_URL"]
TOKEN_URL = os.environ["VENDOR_TOKEN_URL"]
CLIENT = (os.environ["VENDOR_CLIENT_ID"], os.environ["VENDOR_CLIENT_SECRET"])
HEARTBEAT_S = int(os.environ.get("VENDOR_HEARTBEAT_MS", "30000")) / 1000

PAGE_ROWS = 500
RETRY_S = 1

log = logging.getLogger("client")


def say(line):
    print(json.dumps(line, separators=(",", ":")), flush=True)


def delays():
    """The library's own waits, shorter: they begin with up to 5 s and grow to 90, and the scenarios
    are short."""
    return backoff(initial_delay=1, min_delay=0.5, max_delay=5)


class Client:
    def __init__(self):
        self.http = httpx.AsyncClient(timeout=10)
        self.token = None
        self.position = None
        self.states = {}

    async def fetch_token(self):
        form = {"grant_type": "client_credentials"}
        answer = await self.http.post(TOKEN_URL, data=form, auth=CLIENT)
        answer.raise_for_status()
        return answer.json()["access_token"]

    async def load_baseline(self):
        """State, and the position that the first page has reached."""
        rows, position = {}, None
        for page_number in itertools.count():
            answer = await self.http.get(
                f"{API_URL}/api/v2/wfm/schedules",
                params={"limit": PAGE_ROWS, "offset": len(rows)},
                headers={"Authorization": f"Bearer {self.token}"},
            )
            answer.raise_for_status()
            page = answer.json()
            if page_number == 0:
                position = page["sequenceId"]
            rows.update((row["agentId"], row.get("adherence")) for row in page["schedules"])
            if not page["schedules"] or len(rows) >= page["total"]:
                break
        self.position = position
        # A baseline of schedules alone says nothing of states.
        if any(rows.values()):
            for key in self.states.keys() - rows.keys():
                self.keep(key, None)
            for key, value in rows.items():
                self.keep(key, value)

    def keep(self, key, value):
        if value is None:
            self.states.pop(key, None)
        else:
            self.states[key] = value
        say({"state": {"key": key, "value": value}})

    async def handle(self, websocket, message):
        match message["type"]:
            case "subscribed":
                say({"live": True})
            case "event" | "removed":
                sequence = message["sequenceId"]
                if sequence <= self.position:
                    return
                self.position = sequence
                adherence = message["adherence"]
                say({"event": message, "cursor": str(sequence)})
                self.keep(adherence["agentId"], adherence if message["type"] == "event" else None)
            case "error":
                log.warning("vendor says %s", message["code"])
                if message["code"] == "unauthorized":
                    self.token = None
                if message["code"] in ("stale_sequence", "unknown_sequence"):
                    self.position = None
                    await asyncio.sleep(RETRY_S)
                    await websocket.close()

    async def subscribe(self, websocket):
        if self.position is None:
            await self.load_baseline()
        payload = {"sequenceId": self.position, "resources": ["adherence"]}
        await websocket.send(json.dumps({"action": "subscribe", "payload": payload}))

    async def follow(self):
        """Goes on over connections until the token is refused."""
        async for websocket in connect(
            STREAM_URL,
            additional_headers={"Authorization": f"Bearer {self.token}"},
            ping_interval=HEARTBEAT_S,
            ping_timeout=HEARTBEAT_S + 1,
            close_timeout=HEARTBEAT_S,
            reconnect_delays=delays,
        ):
            try:
                await self.subscribe(websocket)
                async for text in websocket:
                    try:
                        await self.handle(websocket, json.loads(text))
                    except ConnectionClosed:
                        raise
                    except Exception as error:
                        log.warning("message ignored: %r", error)
            except ConnectionClosed as closed:
                log.info("closed: %s", closed)
            say({"live": False})
            if self.token is None:
                return

    async def run(self):
        cursor = os.environ.get("CLIENT_CURSOR")
        while True:
            try:
                self.token = self.token or await self.fetch_token()
                if not self.states:
                    await self.load_baseline()
                    self.position = int(cursor) if cursor else self.position
                    cursor = None
                await self.follow()
            except (InvalidStatus, httpx.HTTPStatusError) as refused:
                log.warning("refused: %s", refused)
                if refused.response.status_code in (401, 403):
                    self.token = None
                if refused.response.status_code in (409, 410):
                    self.position = None
                retry = refused.response.headers.get("Retry-After")
                await asyncio.sleep(max(RETRY_S, int(retry or 0)))
            except (httpx.HTTPError, OSError, ValueError, KeyError) as error:
                log.warning("failed: %r", error)
                await asyncio.sleep(RETRY_S)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(Client().run())
