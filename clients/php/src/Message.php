<?php

declare(strict_types=1);

namespace Unbroken;

/** One dispatched event of a stream. */
final readonly class Message
{
    public function __construct(
        public string $event,
        public string $data,
        /** The last id that the stream named, up to here. */
        public string $id,
    ) {
    }
}
