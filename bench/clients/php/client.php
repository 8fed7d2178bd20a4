<?php

/**
 * Whose shape: a PHP worker under a supervisor. Guzzle for token and baseline, a WebSocket on PHP's
 * own streams (see WebSocket.php), everything blocking, one thing after another. When anything goes
 * wrong it waits two seconds and starts over from the top: token, baseline, handshake, subscribe
 * with the baseline's `sequenceId`. Rows and events are upserted by agent; whoever upserts needs no
 * check for repetitions, so there is none.
 *
 * Nothing is kept over a restart: a start is the same as a reconnect.
 *
 * What makes it honest: all pages, the position of the first one; a new token each time; pings are
 * answered, a silent socket is dropped; `Retry-After` is obeyed; a message that cannot be read is
 * logged and does not end the worker.
 */

declare(strict_types=1);

use GuzzleHttp\Client;
use GuzzleHttp\Exception\BadResponseException;

require 'GuzzleHttp/autoload.php';
require __DIR__ . '/WebSocket.php';

const PAGE_ROWS = 500;
const RETRY_S = 2;

function say(array $line): void
{
    $flags = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR;
    fwrite(STDOUT, json_encode($line, $flags) . "\n");
}

function upsert(string $key, ?stdClass $value): void
{
    say(['state' => ['key' => $key, 'value' => $value]]);
}

function parse(string $text): stdClass
{
    $value = json_decode($text, flags: JSON_THROW_ON_ERROR);
    return $value instanceof stdClass ? $value : throw new JsonException('not an object');
}

function fetchToken(Client $http): string
{
    $response = $http->post(getenv('VENDOR_TOKEN_URL'), [
        'auth' => [getenv('VENDOR_CLIENT_ID'), getenv('VENDOR_CLIENT_SECRET')],
        'form_params' => ['grant_type' => 'client_credentials'],
    ]);
    return parse((string) $response->getBody())->access_token;
}

/** The position of the first page; the rows are upserted. */
function loadBaseline(Client $http, array $bearer, array &$known): int
{
    $sequenceId = null;
    $present = [];
    for ($offset = 0;; $offset += count($page->schedules)) {
        $response = $http->get(getenv('VENDOR_API_URL') . '/api/v2/wfm/schedules', [
            'headers' => $bearer,
            'query' => ['limit' => PAGE_ROWS, 'offset' => $offset],
        ]);
        $page = parse((string) $response->getBody());
        $sequenceId ??= $page->sequenceId;
        foreach ($page->schedules as $row) {
            if (isset($row->adherence)) {
                $present[$row->agentId] = $row->adherence;
            }
        }
        if ($page->schedules === [] || $offset + count($page->schedules) >= $page->total) {
            break;
        }
    }
    foreach ($present as $key => $value) {
        upsert((string) $key, $value);
    }
    // Who is not on the list any more is deleted; a list of schedules alone deletes nobody.
    foreach ($present === [] ? [] : array_diff_key($known, $present) as $key => $value) {
        upsert((string) $key, null);
    }
    $known = $present ?: $known;
    return $sequenceId;
}

/** Goes on until the connection ends. */
function follow(array $bearer, int $sequenceId, array &$known): void
{
    // A ping comes with each heartbeat. Two may be late.
    $silence = 2 * (float) (getenv('VENDOR_HEARTBEAT_MS') ?: 30000) / 1000 + 1;
    $socket = new WebSocket(getenv('VENDOR_STREAM_URL'), $bearer, $silence);
    try {
        $payload = ['sequenceId' => $sequenceId, 'resources' => ['adherence']];
        $socket->send(json_encode(['action' => 'subscribe', 'payload' => $payload]));
        while (($text = $socket->receive()) !== null) {
            try {
                $message = parse($text);
                if ($message->type === 'error') {
                    throw new RuntimeException("vendor says {$message->code}");
                }
                handle($message, $known);
            } catch (JsonException | TypeError $error) {
                error_log("message ignored: {$error->getMessage()}");
            }
        }
    } finally {
        $socket->close();
        say(['live' => false]);
    }
}

function handle(stdClass $message, array &$known): void
{
    switch ($message->type) {
        case 'subscribed':
            say(['live' => true]);
            break;
        case 'event':
            $known[$message->adherence->agentId] = true;
            say(['event' => $message]);
            upsert($message->adherence->agentId, $message->adherence);
            break;
        case 'removed':
            unset($known[$message->adherence->agentId]);
            say(['event' => $message]);
            upsert($message->adherence->agentId, null);
            break;
    }
}

$http = new Client(['timeout' => 10]);
$known = [];
for (;;) {
    $wait = RETRY_S;
    try {
        $bearer = ['Authorization' => 'Bearer ' . fetchToken($http)];
        $sequenceId = loadBaseline($http, $bearer, $known);
        follow($bearer, $sequenceId, $known);
    } catch (BadResponseException $error) {
        error_log($error->getMessage());
        $wait = max($wait, (int) $error->getResponse()->getHeaderLine('Retry-After'));
    } catch (Exception | TypeError $error) {
        error_log($error->getMessage());
    }
    sleep($wait);
}
