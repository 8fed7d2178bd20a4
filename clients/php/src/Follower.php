<?php

declare(strict_types=1);

namespace Unbroken;

use Psr\Http\Message\StreamInterface;

/**
 * What comes behind a cursor, over as many connections as it takes, for `foreach`. `break` closes
 * the connection; a further `foreach` goes on where the last one was left.
 *
 * @template T
 * @implements \IteratorAggregate<int, T>
 */
final class Follower implements \IteratorAggregate
{
    private const PART_BYTES = 64 * 1024;

    /** @var ?list<StateRow> of a state that is not whole yet; `null`: state is not asked for */
    private ?array $rows;
    private int $failures = 0;
    private ?float $retryS = null;

    /**
     * @internal
     * @param array<string, mixed> $query
     */
    public function __construct(
        private readonly Unbroken $client,
        private readonly array $query,
        private ?string $cursor,
    ) {
        $this->rows = $cursor === null ? [] : null;
    }

    /** Of a reader who has read all that was handed out, and what a filter passed over. */
    public function cursor(): ?string
    {
        return $this->cursor;
    }

    /** @return \Generator<int, T> */
    public function getIterator(): \Generator
    {
        while (true) {
            try {
                if ($this->cursor === 'latest') {
                    // A stream asked for `latest` again after a cut would begin at another end.
                    $query = ['after' => 'latest', 'limit' => 1];
                    $this->cursor = $this->client->ask('GET', '/v1/events', $query)['cursor'];
                }
                foreach ($this->messages() as $message) {
                    foreach ($this->take($message) as $item) {
                        yield $item;
                    }
                }
                throw new Unavailable('the stream was cut');
            } catch (ProblemException $problem) {
                throw $problem;
            } catch (\RuntimeException | \JsonException $error) {
                // Guzzle's streams throw the first, what is no JSON the second.
                $this->wait($error);
            }
        }
    }

    /** @return \Generator<int, Message> of one connection, until it ends */
    private function messages(): \Generator
    {
        $place = $this->rows === null ? ['after' => $this->cursor] : ['from' => 'state'];
        if ($this->rows !== null) {
            $this->rows = [];
        }
        $response = $this->client->open('/v1/events/stream', $this->query + $place);
        $body = $response->getBody();
        try {
            $type = $response->getHeaderLine('Content-Type') ?: 'nothing';
            if (!str_starts_with($type, 'text/event-stream')) {
                throw new Unavailable("a stream was asked for, and $type came");
            }
            $decoder = new SseDecoder();
            while (($piece = $this->read($body)) !== '') {
                foreach ($decoder->push($piece) as $message) {
                    $this->failures = 0;
                    $this->retryS = $decoder->retryS ?? $this->retryS;
                    yield $message;
                }
            }
        } finally {
            $body->close();
        }
    }

    /**
     * What there is, and at least a byte: where PHP takes chunks apart, it waits for as many bytes
     * as are asked for. So one is asked for, and then what came with it.
     */
    private function read(StreamInterface $body): string
    {
        $first = $body->read(1);
        if ($first === '') {
            if ($body->getMetadata('timed_out')) {
                throw new Unavailable("nothing came for {$this->client->heartbeatTimeoutS} s");
            }
            return '';
        }
        $more = min((int) $body->getMetadata('unread_bytes'), self::PART_BYTES);
        return $more > 0 ? $first . $body->read($more) : $first;
    }

    /** @return iterable<StateRow|Synced|Event> what is to be handed out */
    private function take(Message $message): iterable
    {
        if ($message->event === 'unbroken.end') {
            // Why is told again by the answer to the next request, with its status.
            throw new Unavailable("ended: $message->data");
        }
        if ($message->event === 'unbroken.heartbeat') {
            if ($this->rows === null && $message->id !== '') {
                $this->cursor = $message->id;
            }
        } elseif ($this->rows === null) {
            $event = Event::parse($message->data);
            $this->cursor = $event->cursor;
            yield $event;
        } elseif ($message->event === 'unbroken.state') {
            $row = json_decode($message->data, true, 512, JSON_THROW_ON_ERROR);
            $this->rows[] = StateRow::of($row);
        } elseif ($message->event === 'unbroken.synced') {
            [$rows, $this->rows] = [$this->rows, null];
            yield from $rows;
            $this->cursor = $message->id;
            yield new Synced($message->id);
        } else {
            throw new Unavailable("$message->event came before the state was whole");
        }
    }

    /**
     * Anywhere below a bound that doubles: a thousand clients of a restarted relay do not come at
     * once.
     */
    private function wait(\Throwable $error): void
    {
        $first = $this->client->retryS ?? $this->retryS ?? 1.0;
        $bound = min($first * 2.0 ** min($this->failures, 30), $this->client->retryMaxS);
        $after = $error instanceof Unavailable ? $error->retryAfterS : 0.0;
        $delayS = $after + $bound * mt_rand() / mt_getrandmax();
        $this->failures += 1;
        if ($this->client->onRetry !== null) {
            ($this->client->onRetry)($error, $delayS);
        }
        usleep((int) ($delayS * 1e6));
    }
}
