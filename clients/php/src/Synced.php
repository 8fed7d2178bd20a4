<?php

declare(strict_types=1);

namespace Unbroken;

/** The rows before are state exactly at `cursor`. */
final readonly class Synced
{
    public function __construct(public string $cursor)
    {
    }
}
