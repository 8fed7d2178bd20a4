"""Reads COUNT events from URL, by nothing but the cursor, and checks that each comes once and in
order: `torture.py URL COUNT SEED [asyncio]`. Now and then it throws its client away, as a crash
would, and begins a new one from the cursor that it stored last. What it prints:
`clients/torture/run.mjs`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from typing import Any

from unbroken_client import AsyncUnbroken, Event, Unbroken

URL, COUNT, SEED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


class Reader:
    def __init__(self) -> None:
        self.read = self.reported = self.retries = self.restarts = 0
        self.stored = "oldest"
        self.digest = hashlib.sha256()
        self.state = SEED

    def below(self, bound: float) -> int:
        """Numerical Recipes' generator: one seed, one run, in every language."""
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return int(self.state / 2**32 * bound)

    def left(self) -> int:
        """How many events the next client reads."""
        return min(1 + self.below(COUNT / 10), COUNT - self.read)

    def options(self) -> dict[str, Any]:
        return {
            "url": URL,
            "token": os.environ.get("UNBROKEN_TOKEN", ""),
            "heartbeat_timeout_s": 3,
            "retry_s": 0.2,
            "retry_s_max": 1,
            "on_retry": self.retried,
        }

    def retried(self, _error: Exception, _delay_s: float) -> None:
        self.retries += 1

    def store(self, event: Event) -> None:
        """The effect of an event, and its cursor with it."""
        journal, _, offset = event.id.partition(":")
        if offset != str(self.read) or event.cursor != f"{journal}:{self.read + 1}":
            say(wrong=f"event {event.id} with cursor {event.cursor} came as the {self.read}th")
            sys.exit(1)
        data = event.data
        sequence = (data.get("position") or {}).get("sequence", "")
        parts = [event.id, event.source, event.type, event.subject or "", event.time]
        line = " ".join([*parts, data.get("key") or "", str(sequence)])
        self.digest.update(f"{line}\n".encode())
        self.stored = event.cursor
        self.read += 1
        if self.read - self.reported >= COUNT / 200:
            self.reported = self.read
            say(read=self.read)

    def end(self) -> None:
        say(
            read=self.read,
            retries=self.retries,
            restarts=self.restarts,
            digest=self.digest.hexdigest(),
        )


def read_blocking(reader: Reader) -> None:
    while reader.read < COUNT:
        left = reader.left()
        with Unbroken(**reader.options()).events(reader.stored) as events:
            for event in events:
                reader.store(event)
                left -= 1
                if left == 0:
                    break
        reader.restarts += 1


async def read_async(reader: Reader) -> None:
    while reader.read < COUNT:
        left = reader.left()
        async with AsyncUnbroken(**reader.options()).events(reader.stored) as events:
            async for event in events:
                reader.store(event)
                left -= 1
                if left == 0:
                    break
        reader.restarts += 1


if __name__ == "__main__":
    reader = Reader()
    if sys.argv[4:] == ["asyncio"]:
        asyncio.run(read_async(reader))
    else:
        read_blocking(reader)
    reader.end()
