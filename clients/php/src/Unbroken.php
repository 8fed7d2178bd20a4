<?php

declare(strict_types=1);

namespace Unbroken;

use GuzzleHttp\Client;
use GuzzleHttp\ClientInterface;
use GuzzleHttp\Exception\GuzzleException;
use Psr\Http\Message\ResponseInterface;

/**
 * The relay of one Unbroken service.
 *
 * Iterators go on for ever: whatever fails is tried again from the cursor. What another attempt
 * cannot mend (410, 409, 401 and the other refusals) is thrown as a `ProblemException`. The other
 * calls ask once and throw whatever goes wrong.
 */
final class Unbroken
{
    /** How long one answer may take that is not a stream. */
    private const ANSWER_S = 30;

    private readonly ClientInterface $http;

    /**
     * `dataDir`: of a service on this machine; address and token are read from there, anew for each
     * request. Or `url` and `token`.
     *
     * A stream that says nothing for `heartbeatTimeoutS` is dropped: three of the relay's
     * heartbeats. The first wait lies anywhere below `retryS` (`null`: what the relay asks for), and
     * that bound doubles up to `retryMaxS`. `onRetry(\Throwable $error, float $delayS)` is told of
     * each failure that is retried; nothing else tells of them. `http`: a Guzzle client of your own,
     * for a proxy or certificates.
     */
    public function __construct(
        private readonly ?string $dataDir = null,
        private readonly ?string $url = null,
        #[\SensitiveParameter] private readonly ?string $token = null,
        public readonly float $heartbeatTimeoutS = 45,
        public readonly ?float $retryS = null,
        public readonly float $retryMaxS = 30,
        public readonly ?\Closure $onRetry = null,
        ?ClientInterface $http = null,
    ) {
        if (($dataDir === null) === ($url === null)) {
            throw new \InvalidArgumentException('one of dataDir and url is needed');
        }
        // Iterators would ask for ever with what can never be right.
        if ($url !== null && !preg_match('#^https?://[^/\s]+#', $url)) {
            throw new \InvalidArgumentException("url $url is not like http://127.0.0.1:8470");
        }
        if (preg_match('/[^!-~]/', $token ?? '')) {
            throw new \InvalidArgumentException('the token has characters that no token has');
        }
        $this->http = $http ?? new Client();
    }

    /**
     * Every event behind `after` (a cursor, `latest` or `oldest`), then each as it comes. Each once
     * and in order; `$event->cursor` is the place to go on from.
     *
     * @param list<string> $keys
     * @param list<string> $kinds
     * @return Follower<Event>
     */
    public function events(
        string $after = 'oldest',
        ?string $source = null,
        array $keys = [],
        ?string $keyPrefix = null,
        array $kinds = [],
    ): Follower {
        return new Follower($this, self::filter($source, $keys, $keyPrefix, $kinds), $after);
    }

    /**
     * List, then watch, without a hole: the rows of state, then `Synced` with the cursor at which
     * they are exact, then the events behind it. No row comes before all are here, so a half
     * snapshot is never seen.
     *
     * @param list<string> $keys
     * @param list<string> $kinds
     * @return Follower<StateRow|Synced|Event>
     */
    public function fromState(
        ?string $source = null,
        array $keys = [],
        ?string $keyPrefix = null,
        array $kinds = [],
    ): Follower {
        return new Follower($this, self::filter($source, $keys, $keyPrefix, $kinds), null);
    }

    /**
     * One page of events, for a job that runs now and then: with `waitMs` an empty page comes only
     * after that time.
     *
     * @param list<string> $keys
     * @param list<string> $kinds
     */
    public function page(
        string $after = 'oldest',
        int $limit = 1000,
        int $waitMs = 0,
        ?string $source = null,
        array $keys = [],
        ?string $keyPrefix = null,
        array $kinds = [],
    ): Page {
        $query = self::filter($source, $keys, $keyPrefix, $kinds);
        $query += ['after' => $after, 'limit' => $limit, 'wait' => $waitMs];
        $page = $this->ask('GET', '/v1/events', $query, null, self::ANSWER_S + $waitMs / 1000);
        return new Page($page['cursor'], array_map(Event::of(...), $page['events']));
    }

    /**
     * The value of each key, in one read, and the cursor at which it is exact.
     *
     * @param list<string> $keys
     */
    public function state(
        ?string $source = null,
        array $keys = [],
        ?string $keyPrefix = null,
        ?string $status = null,
        ?bool $tombstones = null,
    ): State {
        $query = self::filter($source, $keys, $keyPrefix, []);
        $query += ['status' => $status, 'tombstones' => $tombstones];
        $state = $this->ask('GET', '/v1/state', $query);
        return new State($state['cursor'], array_map(StateRow::of(...), $state['rows']));
    }

    /** @return list<array<string, mixed>> the gap ledger */
    public function gaps(?string $source = null, ?bool $open = null): array
    {
        return $this->ask('GET', '/v1/gaps', ['source' => $source, 'open' => $open])['gaps'];
    }

    /** @return list<array<string, mixed>> each source with its streams: is it live, since when */
    public function sources(): array
    {
        return $this->ask('GET', '/v1/sources')['sources'];
    }

    /**
     * Has state fetched afresh, of all keys or of some.
     *
     * @param ?list<string> $keys
     * @return list<string> the streams that will
     */
    public function resync(string $source, ?array $keys = null): array
    {
        $path = '/v1/sources/' . rawurlencode($source) . '/resync';
        $body = $keys === null ? new \stdClass() : ['keys' => $keys];
        return $this->ask('POST', $path, [], $body)['streams'];
    }

    /**
     * A successful answer whose body is a stream of bytes, still to be read.
     *
     * @internal for `Follower`
     * @param array<string, mixed> $query
     */
    public function open(string $path, array $query): ResponseInterface
    {
        $silentS = $this->heartbeatTimeoutS;
        $options = ['stream' => true, 'timeout' => $silentS, 'read_timeout' => $silentS];
        return $this->send('GET', $path, $query, ['Accept' => 'text/event-stream'], $options);
    }

    /**
     * One answer in JSON.
     *
     * @internal for `Follower`
     * @param array<string, mixed> $query
     * @return array<string, mixed>
     */
    public function ask(
        string $method,
        string $path,
        array $query = [],
        mixed $body = null,
        float $answerS = self::ANSWER_S,
    ): array {
        $options = ['timeout' => $answerS];
        if ($body !== null) {
            $options['json'] = $body;
        }
        $text = (string) $this->send($method, $path, $query, [], $options)->getBody();
        $answer = json_decode($text, true);
        return is_array($answer) ? $answer : throw new Unavailable('the answer was cut');
    }

    /**
     * @param array<string, mixed> $query
     * @param array<string, string> $headers
     * @param array<string, mixed> $options
     */
    private function send(
        string $method,
        string $path,
        array $query,
        array $headers,
        array $options,
    ): ResponseInterface {
        [$base, $token] = $this->address();
        if ($token !== null) {
            $headers['Authorization'] = "Bearer $token";
        }
        // A redirect would carry the token to somebody else.
        $options += ['http_errors' => false, 'allow_redirects' => false, 'headers' => $headers];
        try {
            $url = rtrim($base, '/') . $path . '?' . self::text($query);
            $response = $this->http->request($method, $url, $options);
        } catch (GuzzleException $error) {
            throw new Unavailable($error->getMessage(), 0, $error);
        }
        $status = $response->getStatusCode();
        return $status >= 200 && $status < 300 ? $response : throw ProblemException::of($response);
    }

    /** @return array{string, ?string} */
    private function address(): array
    {
        if ($this->url !== null) {
            return [$this->url, $this->token];
        }
        [$address, $token] = array_map(function (string $name): string {
            $text = @file_get_contents("$this->dataDir/$name");
            return $text === false ? throw new Unavailable("$name cannot be read") : trim($text);
        }, ['relay.addr', 'relay.token']);
        // The address that a service on all addresses has for its own machine.
        $every = ['/^0\.0\.0\.0:/', '/^\[::\]:/'];
        $address = preg_replace($every, ['127.0.0.1:', '[::1]:'], $address);
        return [str_contains($address, '://') ? $address : "http://$address", $token];
    }

    /**
     * @param list<string> $keys
     * @param list<string> $kinds
     * @return array<string, mixed>
     */
    private static function filter(
        ?string $source,
        array $keys,
        ?string $keyPrefix,
        array $kinds,
    ): array {
        return ['source' => $source, 'key' => $keys, 'key_prefix' => $keyPrefix, 'kind' => $kinds];
    }

    /** @param array<string, mixed> $query lists are repeated, `null` is left out */
    private static function text(array $query): string
    {
        $pairs = [];
        foreach ($query as $name => $value) {
            foreach ((array) $value as $one) {
                $one = is_bool($one) ? ($one ? 'true' : 'false') : (string) $one;
                $pairs[] = "$name=" . rawurlencode($one);
            }
        }
        return implode('&', $pairs);
    }
}
