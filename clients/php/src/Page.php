<?php

declare(strict_types=1);

namespace Unbroken;

/** Some events, and the cursor up to which was looked: the next page is behind it. */
final readonly class Page
{
    /** @param list<Event> $events */
    public function __construct(public string $cursor, public array $events)
    {
    }
}
