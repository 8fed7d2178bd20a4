<?php

declare(strict_types=1);

namespace Unbroken;

/** Something that another attempt may mend: a cut, a restart, a proxy without its service. */
final class Unavailable extends \RuntimeException
{
    public function __construct(
        string $message,
        /** What the other side asked for. */
        public readonly float $retryAfterS = 0,
        ?\Throwable $cause = null,
    ) {
        parent::__construct($message, 0, $cause);
    }
}
