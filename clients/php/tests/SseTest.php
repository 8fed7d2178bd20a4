<?php

declare(strict_types=1);

use Unbroken\Message;
use Unbroken\SseDecoder;

final class SseTest
{
    private const STREAM = "\u{feff}: hello\r\nretry: 250\r\rid: a:1\nevent: unbroken.change\n"
        . "data: {\"n\":\"Zoë 🙂\"}\n\n"
        . "data: one\r\ndata:two\r\ndata\r\ndata:  three\r\n\r\n"
        . ":\r\revent: nothing\r\r"
        . "id: a:2\r\rdata: behind\r\rid: no\0id\ndata: x\n\nid\ndata: none\n\ndata: not whole\n";

    public function testAStreamIsDecodedAsTheSpecificationSays(): void
    {
        equal($this->messages(), $this->decode(self::STREAM));
    }

    public function testItDoesNotMatterWhereAStreamIsSplit(): void
    {
        foreach (range(0, strlen(self::STREAM)) as $first) {
            foreach ([0, 1, 2, 7] as $length) {
                $pieces = [
                    substr(self::STREAM, 0, $first),
                    substr(self::STREAM, $first, $length),
                    substr(self::STREAM, $first + $length),
                ];
                equal($this->messages(), $this->decode(...$pieces), "split at $first, $length");
            }
        }
        equal($this->messages(), $this->decode(...str_split(self::STREAM)));
    }

    public function testTheWaitThatTheServerAsksForIsKnown(): void
    {
        $decoder = new SseDecoder();
        iterator_to_array($decoder->push("retry: 250\nretry: soon\nretry:\n"));
        same(0.25, $decoder->retryS);
    }

    public function testWhatACutLeavesBehindIsNoEvent(): void
    {
        $text = "id: a:1\ndata: 1\n\nid: a:2\ndata: 2\n\n";
        $first = strpos($text, "\n\n") + 2;
        foreach (range(0, strlen($text) - 1) as $end) {
            same($end < $first ? 0 : 1, count($this->decode(substr($text, 0, $end))));
        }
    }

    /** @return list<Message> */
    private function messages(): array
    {
        return [
            new Message('unbroken.change', '{"n":"Zoë 🙂"}', 'a:1'),
            new Message('message', "one\ntwo\n\n three", 'a:1'),
            new Message('message', 'behind', 'a:2'),
            new Message('message', 'x', 'a:2'),
            new Message('message', 'none', ''),
        ];
    }

    /** @return list<Message> */
    private function decode(string ...$pieces): array
    {
        $decoder = new SseDecoder();
        $messages = [];
        foreach ($pieces as $piece) {
            foreach ($decoder->push($piece) as $message) {
                $messages[] = $message;
            }
        }
        return $messages;
    }
}
