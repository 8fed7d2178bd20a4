import unittest

from unbroken_client.sse import Message, SseDecoder

STREAM = (
    "\ufeff: hello\r\nretry: 250\r\rid: a:1\nevent: unbroken.change\ndata: {\"n\":\"Zoë 🙂\"}\n\n"
    "data: one\r\ndata:two\r\ndata\r\ndata:  three\r\n\r\n"
    ":\r\revent: nothing\r\r"
    "id: a:2\r\rdata: behind\u2028\r\rid: no\0id\ndata: x\n\nid\ndata: none\n\ndata: not whole\n"
).encode()

MESSAGES = [
    Message("unbroken.change", '{"n":"Zoë 🙂"}', "a:1"),
    Message("message", "one\ntwo\n\n three", "a:1"),
    Message("message", "behind\u2028", "a:2"),
    Message("message", "x", "a:2"),
    Message("message", "none", ""),
]


def decode(*pieces: bytes) -> list[Message]:
    decoder = SseDecoder()
    return [message for piece in pieces for message in decoder.push(piece)]


class Sse(unittest.TestCase):
    def test_a_stream_is_decoded_as_the_specification_says(self):
        self.assertEqual(decode(STREAM), MESSAGES)

    def test_it_does_not_matter_where_a_stream_is_split(self):
        for first in range(len(STREAM) + 1):
            for second in (first, first + 1, first + 2, first + 7):
                pieces = (STREAM[:first], STREAM[first:second], STREAM[second:])
                self.assertEqual(decode(*pieces), MESSAGES, (first, second))
        self.assertEqual(decode(*(bytes([byte]) for byte in STREAM)), MESSAGES)

    def test_the_wait_that_the_server_asks_for_is_known(self):
        decoder = SseDecoder()
        list(decoder.push(b"retry: 250\nretry: soon\nretry:\n"))
        self.assertEqual(decoder.retry_s, 0.25)

    def test_what_a_cut_leaves_behind_is_no_event(self):
        text = b"id: a:1\ndata: 1\n\nid: a:2\ndata: 2\n\n"
        first = text.index(b"\n\n") + 2
        for end in range(len(text)):
            self.assertEqual(len(decode(text[:end])), 0 if end < first else 1)
