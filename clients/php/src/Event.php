<?php

declare(strict_types=1);

namespace Unbroken;

/** A record of the log, as a CloudEvent 1.0. Members: `docs/reference/record.md`. */
final readonly class Event
{
    public function __construct(
        /** With `source`, the record's name for ever. */
        public string $id,
        /** `/` and the stream's name: `/cxone/adherence`. */
        public string $source,
        /** `unbroken.change`, `unbroken.gap_opened`, … */
        public string $type,
        /** The key that the record is about, where there is one. */
        public ?string $subject,
        /** The vendor's time where there is one, else ours. */
        public string $time,
        /** To go on behind this event. Store it together with what the event brought about. */
        public string $cursor,
        /** @var array<string, mixed> */
        public array $data,
    ) {
    }

    public static function parse(string $json): self
    {
        return self::of(json_decode($json, true, 512, JSON_THROW_ON_ERROR));
    }

    public static function of(mixed $e): self
    {
        if (!is_array($e) || !isset($e['id'], $e['source'], $e['type'], $e['time'], $e['cursor'])) {
            throw new Unavailable('an event without its members came');
        }
        return new self(
            $e['id'],
            $e['source'],
            $e['type'],
            $e['subject'] ?? null,
            $e['time'],
            $e['cursor'],
            $e['data'] ?? [],
        );
    }
}
