"""Each promise for the blocking client and for asyncio."""

from __future__ import annotations

import asyncio
import time
import unittest
from itertools import islice
from typing import Any

from unbroken_client import (
    AsyncUnbroken, Event, ProblemError, StateRow, Synced, Unbroken,
)

from .relay import Answer, FakeRelay, Request, answer, cursor, event, event_frame, frame, sse

COUNT = 3
EVENTS = [Event.parse(event(offset)) for offset in range(COUNT)]


def first(request: Request) -> int:
    after = request.query.get("after", ["oldest"])[0]
    return 0 if after == "oldest" else int(after.rpartition(":")[2])


def tail(request: Request) -> bytes:
    """What a right relay answers: everything behind `after`."""
    return sse(*(event_frame(offset) for offset in range(first(request), COUNT)))


WHOLE = tail(Request("GET", "", {}, {}, b""))


def take_blocking(url: str, count: int, call: str, arguments: dict[str, Any], **options: Any):
    client = Unbroken(url=url, token="ubk_x", retry_s=0, **options)
    with getattr(client, call)(**arguments) as items:
        return list(islice(items, count)), items.cursor


def take_async(url: str, count: int, call: str, arguments: dict[str, Any], **options: Any):
    async def take():
        client = AsyncUnbroken(url=url, token="ubk_x", retry_s=0, **options)
        taken: list[Any] = []
        async with getattr(client, call)(**arguments) as items:
            async for item in items:
                taken.append(item)
                if len(taken) == count:
                    return taken, items.cursor

    return asyncio.run(take())


class Follow(unittest.TestCase):
    def take(self, reply, count, call="events", *, options=None, **arguments):
        """By both clients; what the second got is what the first got."""
        results = []
        for take in (take_blocking, take_async):
            relay = FakeRelay(reply)
            self.addCleanup(relay.close)
            url = f"http://{relay.address}"
            results.append((take(url, count, call, arguments, **(options or {})), relay.requests))
        self.assertEqual(results[0][0], results[1][0])
        asked = [[request.query for request in requests] for _, requests in results]
        self.assertEqual(asked[0], asked[1])
        return (*results[0][0], results[0][1])

    def every_cut(self, whole: bytes, reply, expected, call, step):
        """Cuts the first connection of each reading after so many bytes."""
        cut: list[Answer] = []
        relay = FakeRelay(lambda request, _: cut.pop() if cut else reply(request))
        self.addCleanup(relay.close)
        url, cuts = f"http://{relay.address}", 0
        # Without the end of its last chunk: what comes before it is all that there is.
        for after in range(0, len(whole) - 2, step):
            how = "silence" if after % 61 == 0 else "reset" if after % 2 else "end"
            take = take_async if cuts % 3 == 2 else take_blocking
            cut.append(Answer(whole, cut=after, how=how))
            taken, _ = take(url, len(expected), call, {}, heartbeat_timeout_s=0.03)
            self.assertEqual(taken, expected, f"{take.__name__}: {how} after {after} bytes")
            cuts += 1
        # On a busy machine a stream may seem silent that is not: that is one request more.
        self.assertGreaterEqual(len(relay.requests), 2 * cuts)

    def test_wherever_a_connection_is_cut_each_event_comes_once_and_in_order(self):
        self.every_cut(WHOLE, lambda request: Answer(tail(request)), EVENTS, "events", 1)

    def test_wherever_state_is_cut_it_comes_once_and_whole_and_then_the_events(self):
        rows = [{"key": "a", "payload": 1}, {"key": "b", "stale_since": "2026"}]
        whole = sse(
            *(frame("unbroken.state", row) for row in rows),
            frame("unbroken.synced", {"cursor": cursor(1)}, cursor(1)),
            event_frame(1),
            event_frame(2),
        )
        expected = [*map(StateRow.parse, rows), Synced(cursor(1)), *EVENTS[1:]]

        def reply(request: Request) -> Answer:
            return Answer(whole if request.query.get("from") == ["state"] else tail(request))

        self.every_cut(whole, reply, expected, "from_state", 2)

    def test_a_stream_cut_again_and_again_goes_on_from_its_last_event(self):
        def reply(request, _):
            data = tail(request)
            second = data.index(b"\n\n", data.index(b"data:")) + 10
            return Answer(data, cut=second)

        taken, place, requests = self.take(reply, COUNT)
        self.assertEqual((taken, place), (EVENTS, cursor(COUNT)))
        asked = [request.query["after"] for request in requests]
        self.assertEqual(asked, [["oldest"], [cursor(1)], [cursor(2)]])

    def test_an_end_of_the_stream_that_is_asked_for_is_settled_once(self):
        def reply(request, count):
            if request.path == "/v1/events":
                return answer({"cursor": cursor(2), "events": []})
            return Answer(sse() if count == 2 else sse(event_frame(2)), end=count == 2)

        taken, _, requests = self.take(reply, 1, after="latest")
        self.assertEqual(taken, EVENTS[2:])
        self.assertEqual([r.query["after"] for r in requests], [["latest"], *[[cursor(2)]] * 2])

    def test_a_heartbeat_moves_the_place_over_what_a_filter_left_out(self):
        beat = sse(frame("unbroken.heartbeat", {"cursor": cursor(2)}, cursor(2)))
        taken, _, requests = self.take(
            lambda _, count: Answer(beat, end=True) if count == 1 else Answer(sse(event_frame(2))),
            1, after=cursor(0), source="cx", keys=["a b", "ü"], key_prefix="p", kinds=["change"],
        )
        self.assertEqual(taken, EVENTS[2:])
        query = {"source": ["cx"], "key": ["a b", "ü"], "key_prefix": ["p"], "kind": ["change"]}
        asked = [request.query for request in requests]
        self.assertEqual(asked, [query | {"after": [cursor(place)]} for place in (0, 2)])

    def test_a_refusal_is_raised_with_what_the_problem_says(self):
        refusals = [
            (410, "cursor-expired", {"oldest": cursor(9)}),
            (410, "journal-changed", {"oldest": cursor(0)}),
            (409, "cursor-ahead", {"latest": cursor(4)}),
            (401, "token-missing", {}),
            (400, "cursor-invalid", {}),
        ]
        for status, code, more in refusals:
            problem = {"type": f"/problems/{code}", "title": "No", "detail": "so", **more}
            for take in (take_blocking, take_async):
                relay = FakeRelay(lambda *_: answer(problem, status))
                self.addCleanup(relay.close)
                with self.assertRaises(ProblemError) as caught:
                    take(f"http://{relay.address}", 1, "events", {})
                error = caught.exception
                self.assertEqual((error.status, error.code, error.problem), (status, code, problem))
                self.assertEqual(error.oldest, more.get("oldest"))
                self.assertEqual(error.latest, more.get("latest"))
                self.assertEqual(str(error), "No; so")
                self.assertEqual(len(relay.requests), 1)

    def test_a_refusal_without_a_problem_is_a_refusal(self):
        with self.assertRaises(ProblemError) as caught:
            self.take(lambda *_: Answer(b"HTTP/1.1 404 No\r\n\r\n<html>", end=True), 1)
        self.assertEqual((caught.exception.status, caught.exception.code), (404, ""))

    def test_whatever_else_goes_wrong_is_tried_again_and_told(self):
        told: list[tuple[str, bool]] = []
        answers = [
            answer({"type": "/problems/busy"}, 503, "retry-after: 1\r\n"),
            answer({}, 429),
            answer({"not": "a stream"}),
            Answer(b"garbage\r\n\r\n", end=True),
            Answer(sse("data: {\n\n"), end=True),
            Answer(sse(frame("unbroken.change", "no event")), end=True),
            Answer(sse(event_frame(0), frame("unbroken.end", {"title": "restart"})), end=True),
        ]

        def reply(_, count):
            return answers[count - 1] if count <= len(answers) else Answer(sse(event_frame(1)))

        options = {"on_retry": lambda error, delay_s: told.append((str(error), delay_s >= 1))}
        taken, _, requests = self.take(reply, 2, options=options)
        self.assertEqual(taken, EVENTS[:2])
        self.assertEqual(requests[-1].query["after"], [cursor(1)])
        self.assertEqual(len(told), 2 * len(answers))
        self.assertEqual(told[:2], [("status 503", True), ("status 429", False)])
        self.assertIn("restart", told[len(answers) - 1][0])

    def test_a_stream_that_falls_silent_is_dropped_a_slow_reader_is_not_silence(self):
        # The third event is there only for who comes again.
        def reply(request, _):
            offsets = range(first(request), 2) if first(request) < 2 else (2,)
            return Answer(sse(*(event_frame(offset) for offset in offsets)))

        relay = FakeRelay(reply)
        self.addCleanup(relay.close)
        client = Unbroken(url=f"http://{relay.address}", retry_s=0, heartbeat_timeout_s=0.05)
        with client.events() as events:
            self.assertEqual(next(events), EVENTS[0])
            asked = len(relay.requests)
            time.sleep(0.15)
            self.assertEqual(len(relay.requests), asked)
            self.assertEqual([next(events), next(events)], EVENTS[1:])
        self.assertEqual(relay.requests[-1].query["after"], [cursor(2)])

    def test_leaving_closes_the_connection(self):
        for take in (take_blocking, take_async):
            relay = FakeRelay(lambda *_: Answer(WHOLE))
            self.addCleanup(relay.close)
            take(f"http://{relay.address}", 1, "events", {})
            while relay.open > 0:
                time.sleep(0.002)

    def test_a_task_that_is_cancelled_ends(self):
        relay = FakeRelay(lambda *_: Answer(sse()))
        self.addCleanup(relay.close)

        async def run():
            events = AsyncUnbroken(url=f"http://{relay.address}").events()
            task = asyncio.ensure_future(anext(events))
            while not relay.open:
                await asyncio.sleep(0.002)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(run())
        while relay.open > 0:
            time.sleep(0.002)

    def test_the_place_is_behind_state_only_once_all_of_it_was_handed_out(self):
        synced = frame("unbroken.synced", {"cursor": cursor(2)}, cursor(2))
        whole = sse(frame("unbroken.state", {"key": "a"}), synced)
        for count, place in ((1, None), (2, cursor(2))):
            _, at, _ = self.take(lambda *_: Answer(whole), count, "from_state")
            self.assertEqual(at, place)


if __name__ == "__main__":
    unittest.main()
