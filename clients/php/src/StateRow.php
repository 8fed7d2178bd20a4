<?php

declare(strict_types=1);

namespace Unbroken;

/** The present value of a key. */
final readonly class StateRow
{
    public function __construct(
        /** `source/stream`. */
        public string $stream,
        public string $key,
        /** `false`: the key was deleted (a tombstone). */
        public bool $present,
        public ?string $version,
        public int $offset,
        public ?string $occurredAt,
        public string $receivedAt,
        /** Since when an outage may have outdated the value; `null`: it is current. */
        public ?string $staleSince,
        public mixed $payload,
    ) {
    }

    /** @param array<string, mixed> $row */
    public static function of(array $row): self
    {
        return new self(
            $row['stream'] ?? '',
            $row['key'] ?? throw new Unavailable('a row without a key came'),
            $row['present'] ?? true,
            $row['version'] ?? null,
            $row['offset'] ?? 0,
            $row['occurred_at'] ?? null,
            $row['received_at'] ?? '',
            $row['stale_since'] ?? null,
            $row['payload'] ?? null,
        );
    }
}
