<?php

/**
 * Reads COUNT events from URL, by nothing but the cursor, and checks that each comes once and in
 * order: `torture.php URL COUNT SEED`. Now and then it throws its client away, as a crash would,
 * and begins a new one from the cursor that it stored last. What it prints:
 * `clients/torture/run.mjs`.
 */

declare(strict_types=1);

use Unbroken\Event;
use Unbroken\Unbroken;

require __DIR__ . '/autoload.php';

[$url, $count, $seed] = [$argv[1], (int) $argv[2], (int) $argv[3]];

function say(array $line): void
{
    fwrite(STDOUT, json_encode($line, JSON_THROW_ON_ERROR) . "\n");
}

/** Numerical Recipes' generator: one seed, one run, in every language. */
$state = $seed;
$below = function (float $bound) use (&$state): int {
    $state = ($state * 1664525 + 1013904223) % 2 ** 32;
    return (int) floor($state / 2 ** 32 * $bound);
};

$digest = hash_init('sha256');
[$read, $reported, $retries, $restarts, $stored] = [0, 0, 0, 0, 'oldest'];

/** The effect of an event, and its cursor with it. */
$store = function (Event $event) use ($digest, $count, &$read, &$reported, &$stored): void {
    [$journal, $offset] = explode(':', $event->id);
    if ($offset !== (string) $read || $event->cursor !== $journal . ':' . ($read + 1)) {
        say(['wrong' => "event $event->id with cursor $event->cursor came as the {$read}th"]);
        exit(1);
    }
    $key = $event->data['key'] ?? '';
    $sequence = $event->data['position']['sequence'] ?? '';
    $parts = [$event->id, $event->source, $event->type, $event->subject ?? '', $event->time];
    array_push($parts, $key, $sequence);
    hash_update($digest, implode(' ', $parts) . "\n");
    $stored = $event->cursor;
    $read += 1;
    if ($read - $reported >= $count / 200) {
        $reported = $read;
        say(['read' => $read]);
    }
};

while ($read < $count) {
    $client = new Unbroken(
        url: $url,
        token: getenv('UNBROKEN_TOKEN') ?: null,
        heartbeatTimeoutS: 3,
        retryS: 0.2,
        retryMaxS: 1,
        onRetry: function () use (&$retries): void {
            $retries += 1;
        },
    );
    $left = min(1 + $below($count / 10), $count - $read);
    foreach ($client->events($stored) as $event) {
        $store($event);
        $left -= 1;
        if ($left === 0) {
            break;
        }
    }
    $restarts += 1;
}
$end = compact('read', 'retries', 'restarts');
say($end + ['digest' => hash_final($digest)]);
