from __future__ import annotations

import asyncio
import tempfile
import time
import unittest
from pathlib import Path

from unbroken_client import AsyncUnbroken, Event, ProblemError, Unavailable, Unbroken

from .relay import Answer, FakeRelay, Request, answer, cursor, event, event_frame, sse


def reply(request: Request, _: int) -> Answer:
    asked = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "auth": request.headers.get("authorization"),
        "body": request.body.decode(),
    }
    row = {"key": "a", "payload": asked}
    return answer({
        "cursor": cursor(1), "rows": [row], "gaps": [asked], "sources": [asked], "streams": [asked],
    })


def ask(client: Unbroken | AsyncUnbroken, call: str, *arguments, **named):
    result = getattr(client, call)(*arguments, **named)
    if isinstance(client, AsyncUnbroken):
        async def wait():
            return await result

        return asyncio.run(wait())
    return result


class Client(unittest.TestCase):
    def relay(self, reply, path: str | None = None) -> FakeRelay:
        relay = FakeRelay(reply, path)
        self.addCleanup(relay.close)
        return relay

    def directory(self) -> Path:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return Path(directory.name)

    def test_each_call_asks_what_it_says_with_the_token(self):
        url = f"http://{self.relay(reply).address}/"
        for kind in (Unbroken, AsyncUnbroken):
            client = kind(url=url, token="ubk_x")
            asked = {"method": "GET", "auth": "Bearer ubk_x", "body": ""}
            state = ask(client, "state", source="cx/a", status="stale", tombstones=True)
            query = {"source": ["cx/a"], "status": ["stale"], "tombstones": ["true"]}
            self.assertEqual(state.cursor, cursor(1))
            self.assertEqual(
                state.rows[0].payload, asked | {"path": "/v1/state", "query": query}
            )
            self.assertEqual(
                ask(client, "gaps", open=True),
                [asked | {"path": "/v1/gaps", "query": {"open": ["true"]}}],
            )
            self.assertEqual(
                ask(client, "sources"), [asked | {"path": "/v1/sources", "query": {}}]
            )
            posted = asked | {"method": "POST", "query": {}, "path": "/v1/sources/c%2Fx/resync"}
            self.assertEqual(
                ask(client, "resync", "c/x", ["a"]), [posted | {"body": '{"keys": ["a"]}'}]
            )
            self.assertEqual(ask(client, "resync", "c/x"), [posted | {"body": "{}"}])

    def test_a_call_that_fails_raises(self):
        problem = {"type": "/problems/scope-missing", "title": "No"}
        for kind in (Unbroken, AsyncUnbroken):
            relay = self.relay(lambda _, count: answer(problem, 403 if count == 1 else 503))
            client = kind(url=f"http://{relay.address}")
            with self.assertRaises(ProblemError) as caught:
                ask(client, "state")
            self.assertEqual(caught.exception.code, "scope-missing")
            with self.assertRaises(Unavailable):
                ask(client, "state")

    def test_a_call_whose_answer_is_cut_raises(self):
        whole = answer({"cursor": cursor(1), "rows": []}).data
        for kind in (Unbroken, AsyncUnbroken):
            for cut in range(0, len(whole), 9):
                relay = self.relay(lambda *_: Answer(whole, cut=cut))
                with self.assertRaises(Unavailable):
                    ask(kind(url=f"http://{relay.address}"), "state")

    def test_what_can_never_be_right_is_refused_at_once(self):
        for kind in (Unbroken, AsyncUnbroken):
            for url in ("localhost:8470", "relay", "ftp://relay", "http://relay:port"):
                with self.assertRaises(ValueError):
                    kind(url=url)
            with self.assertRaises(ValueError):
                kind(url="http://relay", token="a\nb")
            for arguments in ({}, {"url": "http://relay", "socket": "x"}):
                with self.assertRaises(TypeError):
                    kind(**arguments)

    def test_a_data_directory_is_read_again_for_each_connection(self):
        directory, failures = self.directory(), []

        def put(offset: int) -> FakeRelay:
            relay = self.relay(lambda *_: Answer(sse(event_frame(offset)), end=True))
            (directory / "relay.token").write_text(f"ubk_{offset}\n")
            (directory / "relay.addr").write_text(f"{relay.address}\n")
            return relay

        def failed(error: Exception, _: float) -> None:
            failures.append(error)
            if len(failures) == 2:
                relays.append(put(0))
            elif len(failures) == 3:
                relays.append(put(1))

        relays: list[FakeRelay] = []
        client = Unbroken(directory, retry_s=0.001, on_retry=failed)
        with client.events() as events:
            self.assertEqual(
                [next(events), next(events)], [Event.parse(event(0)), Event.parse(event(1))]
            )
        self.assertIsInstance(failures[0], FileNotFoundError)
        for offset, relay in enumerate(relays):
            authorization = {request.headers["authorization"] for request in relay.requests}
            self.assertEqual(authorization, {f"Bearer ubk_{offset}"})

    def test_a_service_on_all_addresses_is_asked_on_this_machine(self):
        directory = self.directory()
        relay = self.relay(reply)
        port = relay.address.rpartition(":")[2]
        (directory / "relay.token").write_text("ubk_x\n")
        (directory / "relay.addr").write_text(f"0.0.0.0:{port}\n")
        Unbroken(directory).state()
        self.assertEqual(relay.requests[0].headers["host"], f"127.0.0.1:{port}")

    def test_a_unix_socket_does_as_well(self):
        path = str(self.directory() / "relay.sock")
        relay = self.relay(reply, path)
        for kind in (Unbroken, AsyncUnbroken):
            self.assertEqual(ask(kind(socket=path), "state").cursor, cursor(1))
        self.assertNotIn("authorization", relay.requests[0].headers)
        while relay.open > 0:
            time.sleep(0.001)
