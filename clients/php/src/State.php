<?php

declare(strict_types=1);

namespace Unbroken;

/** State, exact at `cursor`: `events($cursor)` goes on without a hole. */
final readonly class State
{
    /** @param list<StateRow> $rows */
    public function __construct(public string $cursor, public array $rows)
    {
    }
}
