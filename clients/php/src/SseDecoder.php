<?php

declare(strict_types=1);

namespace Unbroken;

/**
 * Decodes `text/event-stream` (https://html.spec.whatwg.org/multipage/server-sent-events.html,
 * 9.2.6), wherever the bytes are cut. An event whose blank line has not come is not dispatched, so
 * what a cut leaves behind is asked for again.
 */
final class SseDecoder
{
    /** Above this a line is no event of the relay's (whose largest are far below a mebibyte). */
    private const LINE_BYTES_MAX = 64 * 1024 * 1024;

    private const MARK = "\u{feff}";

    /** How long the server asks to wait before a new connection. */
    public ?float $retryS = null;

    private string $rest = '';
    private bool $begun = false;
    private bool $afterReturn = false;
    private string $event = '';
    private ?string $data = null;
    private string $id = '';

    /** @return \Generator<int, Message> the messages that end in this piece */
    public function push(string $piece): \Generator
    {
        if ($this->afterReturn && str_starts_with($piece, "\n")) {
            $piece = substr($piece, 1);
            $this->afterReturn = false;
        }
        if ($piece === '') {
            return;
        }
        $this->afterReturn = str_ends_with($piece, "\r");
        $text = $this->rest . $piece;
        if (!$this->begun) {
            // The mark that may stand at the beginning may be cut, too.
            if (strlen($text) < strlen(self::MARK) && str_starts_with(self::MARK, $text)) {
                $this->rest = $text;
                return;
            }
            $this->begun = true;
            $text = str_starts_with($text, self::MARK) ? substr($text, strlen(self::MARK)) : $text;
        }
        if (str_contains($text, "\r")) {
            $text = strtr($text, ["\r\n" => "\n", "\r" => "\n"]);
        }
        $lines = explode("\n", $text);
        $this->rest = array_pop($lines);
        if (strlen($this->rest) > self::LINE_BYTES_MAX) {
            throw new Unavailable('a line of the stream has no end');
        }
        foreach ($lines as $line) {
            if ($line !== '') {
                $this->take($line);
            } elseif ($this->data !== null) {
                yield $this->dispatch();
            } else {
                $this->event = '';
            }
        }
    }

    private function take(string $line): void
    {
        [$field, $value] = [...explode(':', $line, 2), ''];
        if (str_starts_with($value, ' ')) {
            $value = substr($value, 1);
        }
        if ($field === 'data') {
            $this->data = $this->data === null ? $value : "$this->data\n$value";
        } elseif ($field === 'event') {
            $this->event = $value;
        } elseif ($field === 'id' && !str_contains($value, "\0")) {
            $this->id = $value;
        } elseif ($field === 'retry' && ctype_digit($value)) {
            $this->retryS = (int) $value / 1000;
        }
    }

    private function dispatch(): Message
    {
        $message = new Message($this->event ?: 'message', (string) $this->data, $this->id);
        $this->event = '';
        $this->data = null;
        return $message;
    }
}
