import unittest

from unbroken_client import Unavailable
from unbroken_client.http1 import ResponseDecoder, request

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nX-A:  b \r\n\r\n"
    b"5\r\nhello\r\n1;name=value\r\n \r\nB\r\nwide\r\nworld\r\n0\r\nTrailer: x\r\n\r\n"
)


def decode(*pieces: bytes) -> tuple[ResponseDecoder, bytes]:
    decoder = ResponseDecoder()
    return decoder, b"".join(part for piece in pieces for part in decoder.push(piece))


class Http1(unittest.TestCase):
    def test_it_does_not_matter_where_a_chunked_body_is_split(self):
        for first in range(len(CHUNKED) + 1):
            for second in (first, first + 1, first + 2, first + 9):
                decoder, body = decode(CHUNKED[:first], CHUNKED[first:second], CHUNKED[second:])
                self.assertEqual(body, b"hello wide\r\nworld", (first, second))
                self.assertTrue(decoder.is_whole)
        self.assertEqual(decoder.headers, {"transfer-encoding": "Chunked", "x-a": "b"})
        decoder, body = decode(*(bytes([byte]) for byte in CHUNKED))
        self.assertEqual((decoder.status, body), (200, b"hello wide\r\nworld"))

    def test_a_chunked_body_that_was_cut_is_not_whole(self):
        whole = CHUNKED.index(b"0\r\nTrailer") + 3
        for end in range(whole):
            decoder, _ = decode(CHUNKED[:end])
            with self.assertRaises(Unavailable):
                decoder.end()
        decode(CHUNKED[:whole])[0].end()

    def test_a_body_with_a_length_ends_there(self):
        text = b"HTTP/1.1 404 No\r\ncontent-length: 3\r\n\r\nabc"
        for end in range(len(text)):
            decoder, body = decode(text[:end])
            self.assertFalse(decoder.is_whole, end)
            with self.assertRaises(Unavailable):
                decoder.end()
        decoder, body = decode(text + b"more")
        self.assertEqual((decoder.status, body, decoder.is_whole), (404, b"abc", True))

    def test_a_body_without_a_length_ends_with_the_connection(self):
        decoder, body = decode(b"HTTP/1.0 200 OK\r\n\r\n", b"ab", b"c")
        self.assertEqual((body, decoder.is_whole), (b"abc", False))
        decoder.end()
        self.assertTrue(decoder.is_whole)

    def test_what_is_not_http_is_unavailable(self):
        for text in (b"SSH-2.0\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 70_000):
            with self.assertRaises(Unavailable):
                decode(text)
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        for text in (b"zz\r\n", b"1" * 70_000):
            with self.assertRaises(Unavailable):
                decode(head + text)

    def test_a_request_says_how_long_its_body_is(self):
        lines = request("POST", "/x", {"Host": "a:1"}, b"{}").split(b"\r\n")
        self.assertEqual(lines[0], b"POST /x HTTP/1.1")
        self.assertEqual(lines[-2:], [b"", b"{}"])
        self.assertIn(b"Content-Length: 2", lines)
