<?php

declare(strict_types=1);

use Unbroken\Event;
use Unbroken\Follower;
use Unbroken\ProblemException;
use Unbroken\StateRow;
use Unbroken\Synced;
use Unbroken\Unbroken;

final class FollowerTest
{
    private const COUNT = 3;

    public function testWhereverAConnectionIsCutEachEventComesOnceAndInOrder(): void
    {
        $this->everyCut($this->tail(0), 'events', $this->events(0), 1);
    }

    public function testWhereverStateIsCutItComesOnceAndWholeAndThenTheEvents(): void
    {
        $rows = [['key' => 'a', 'payload' => 1], ['key' => 'b', 'stale_since' => '2026']];
        $frames = array_map(fn (array $row) => FakeRelay::frame('unbroken.state', $row), $rows);
        $whole = FakeRelay::sse(
            ...$frames,
            ...[FakeRelay::frame('unbroken.synced', [], FakeRelay::cursor(1))],
            ...[FakeRelay::eventFrame(1), FakeRelay::eventFrame(2)],
        );
        $synced = new Synced(FakeRelay::cursor(1));
        $expected = [...array_map(StateRow::of(...), $rows), $synced, ...$this->events(1)];
        $this->everyCut($whole, 'fromState', $expected, 2);
    }

    public function testAStreamCutAgainAndAgainGoesOnFromItsLastEvent(): void
    {
        $relay = new FakeRelay(function (array $request): array {
            $data = $this->tail($this->after($request));
            return [$data, 'end', strpos($data, "\n\n", strpos($data, 'data:')) + 10];
        });
        equal($this->events(0), $this->take($this->client($relay)->events(), self::COUNT));
        $asked = array_map(fn (array $request) => $request['query'], $relay->requests());
        $after = fn (int $offset) => ['after=' . FakeRelay::cursor($offset)];
        same([['after=oldest'], $after(1), $after(2)], $asked);
    }

    public function testAnEndOfTheStreamThatIsAskedForIsSettledOnce(): void
    {
        $relay = new FakeRelay(fn (array $request, int $count): array => match (true) {
            $request['path'] === '/v1/events' =>
                [FakeRelay::json(['cursor' => FakeRelay::cursor(2), 'events' => []]), 'end'],
            $count === 2 => [FakeRelay::sse(), 'end'],
            default => [FakeRelay::sse(FakeRelay::eventFrame(2))],
        });
        equal($this->events(2), $this->take($this->client($relay)->events('latest'), 1));
        $asked = array_map(fn (array $request) => $request['query'], $relay->requests());
        $after = ['after=' . FakeRelay::cursor(2)];
        same([['after=latest', 'limit=1'], $after, $after], $asked);
    }

    public function testAHeartbeatMovesThePlaceOverWhatAFilterLeftOut(): void
    {
        $beat = FakeRelay::frame('unbroken.heartbeat', [], FakeRelay::cursor(2));
        $relay = new FakeRelay(fn (array $request, int $count): array => $count === 1
            ? [FakeRelay::sse($beat), 'end']
            : [FakeRelay::sse(FakeRelay::eventFrame(2))]);
        $filter = ['source' => 'cx', 'keys' => ['a b', 'ü'], 'keyPrefix' => 'p', 'kinds' => ['change']];
        $events = $this->client($relay)->events(FakeRelay::cursor(0), ...$filter);
        equal($this->events(2), $this->take($events, 1));
        same(FakeRelay::cursor(3), $events->cursor());
        $filter = ['source=cx', 'key=a b', 'key=ü', 'key_prefix=p', 'kind=change'];
        foreach ($relay->requests() as $index => $request) {
            same([...$filter, 'after=' . FakeRelay::cursor(2 * $index)], $request['query']);
        }
    }

    public function testARefusalIsThrownWithWhatTheProblemSays(): void
    {
        $refusals = [
            [410, 'cursor-expired', ['oldest' => FakeRelay::cursor(9)]],
            [410, 'journal-changed', ['oldest' => FakeRelay::cursor(0)]],
            [409, 'cursor-ahead', ['latest' => FakeRelay::cursor(4)]],
            [401, 'token-missing', []],
            [400, 'cursor-invalid', []],
        ];
        foreach ($refusals as [$status, $name, $more]) {
            $problem = ['type' => "/problems/$name", 'title' => 'No', 'detail' => 'so', ...$more];
            $relay = new FakeRelay(fn () => [FakeRelay::json($problem, $status), 'end']);
            $take = fn () => $this->take($this->client($relay)->events(), 1);
            $error = thrown(ProblemException::class, $take);
            same([$status, $name, $problem], [$error->status, $error->name, $error->problem]);
            same($more['oldest'] ?? null, $error->oldest);
            same($more['latest'] ?? null, $error->latest);
            same('No; so', $error->getMessage());
            same(1, count($relay->requests()));
        }
    }

    public function testARefusalWithoutAProblemIsARefusal(): void
    {
        $relay = new FakeRelay(fn () => ["HTTP/1.1 404 Not Found\r\n\r\n<html>", 'end']);
        $take = fn () => $this->take($this->client($relay)->events(), 1);
        $error = thrown(ProblemException::class, $take);
        same([404, ''], [$error->status, $error->name]);
    }

    public function testWhateverElseGoesWrongIsTriedAgainAndTold(): void
    {
        $end = FakeRelay::frame('unbroken.end', ['title' => 'restart']);
        $answers = [
            FakeRelay::json([], 503, "Retry-After: 1\r\n"),
            FakeRelay::json([], 429),
            FakeRelay::json(['not' => 'a stream']),
            "garbage\r\n\r\n",
            FakeRelay::sse("data: {\n\n"),
            FakeRelay::sse(FakeRelay::frame('unbroken.change', 'no event')),
            FakeRelay::sse(FakeRelay::eventFrame(0), $end),
        ];
        $relay = new FakeRelay(fn (array $request, int $count): array => isset($answers[$count - 1])
            ? [$answers[$count - 1], 'end']
            : [FakeRelay::sse(FakeRelay::eventFrame(1))]);
        $told = [];
        $tell = function (\Throwable $error, float $delayS) use (&$told): void {
            $told[] = [$error->getMessage(), $delayS >= 1];
        };
        $client = $this->client($relay, onRetry: $tell);
        equal(array_slice($this->events(0), 0, 2), $this->take($client->events(), 2));
        $requests = $relay->requests();
        same(['after=' . FakeRelay::cursor(1)], end($requests)['query']);
        same(count($answers), count($told));
        same([['status 503', true], ['status 429', false]], array_slice($told, 0, 2));
        same(true, str_contains($told[6][0], 'restart'));
    }

    public function testAStreamThatFallsSilentIsDroppedASlowReaderIsNotSilence(): void
    {
        // The third event is there only for who comes again.
        $relay = new FakeRelay(function (array $request): array {
            $after = $this->after($request);
            $offsets = $after < 2 ? range($after, 1) : [2];
            return [FakeRelay::sse(...array_map(FakeRelay::eventFrame(...), $offsets))];
        });
        $events = $this->client($relay, heartbeatTimeoutS: 0.05)->events()->getIterator();
        equal($this->events(0)[0], $events->current());
        $asked = count($relay->requests());
        usleep(150_000);
        same($asked, count($relay->requests()));
        $events->next();
        equal($this->events(0)[1], $events->current());
        $events->next();
        equal($this->events(0)[2], $events->current());
        $requests = $relay->requests();
        same(['after=' . FakeRelay::cursor(2)], end($requests)['query']);
    }

    public function testAFurtherLoopGoesOnWhereTheLastOneWasLeft(): void
    {
        $relay = new FakeRelay(fn (array $request): array => [$this->tail($this->after($request))]);
        $events = $this->client($relay)->events();
        equal([$this->events(0)[0]], $this->take($events, 1));
        equal($this->events(1), $this->take($events, 2));
    }

    public function testThePlaceIsBehindStateOnlyOnceAllOfItWasHandedOut(): void
    {
        $synced = FakeRelay::frame('unbroken.synced', [], FakeRelay::cursor(2));
        $whole = FakeRelay::sse(FakeRelay::frame('unbroken.state', ['key' => 'a']), $synced);
        $relay = new FakeRelay(fn () => [$whole]);
        foreach ([1 => null, 2 => FakeRelay::cursor(2)] as $count => $place) {
            $items = $this->client($relay)->fromState();
            $this->take($items, $count);
            same($place, $items->cursor());
        }
    }

    /** Cuts the first connection of each reading after so many bytes; which reading: its token. */
    private function everyCut(string $whole, string $call, array $expected, int $step): void
    {
        // Without the end of its last chunk: what comes before it is all that there is.
        $cuts = range(0, strlen($whole) - 3, $step);
        $cut = [];
        $relay = new FakeRelay(function (array $request) use ($whole, &$cut): array {
            $after = (int) substr($request['headers']['authorization'], strlen('Bearer '));
            if (!isset($cut[$after])) {
                $cut[$after] = true;
                return [$whole, $this->how($after), $after];
            }
            $isState = in_array('from=state', $request['query'], true);
            return [$isState ? $whole : $this->tail($this->after($request))];
        });
        foreach ($cuts as $after) {
            $client = $this->client($relay, token: (string) $after, heartbeatTimeoutS: 0.03);
            $taken = $this->take($client->$call(), count($expected));
            equal($expected, $taken, "{$this->how($after)} after $after bytes");
        }
        // On a busy machine a stream may seem silent that is not: that is one request more.
        same(true, count($relay->requests()) >= 2 * count($cuts));
    }

    private function how(int $after): string
    {
        return $after % 61 === 0 ? 'keep' : ($after % 2 === 1 ? 'reset' : 'end');
    }

    private function client(FakeRelay $relay, mixed ...$options): Unbroken
    {
        $usual = ['url' => "http://$relay->address", 'token' => 'ubk_x', 'retryS' => 0];
        return new Unbroken(...[...$usual, ...$options]);
    }

    private function take(Follower $items, int $count): array
    {
        $taken = [];
        foreach ($items as $item) {
            $taken[] = $item;
            if (count($taken) === $count) {
                break;
            }
        }
        return $taken;
    }

    private function after(array $request): int
    {
        $after = substr(end($request['query']), strlen('after='));
        return $after === 'oldest' ? 0 : (int) explode(':', $after)[1];
    }

    /** What a right relay answers. */
    private function tail(int $after): string
    {
        $offsets = $after < self::COUNT ? range($after, self::COUNT - 1) : [];
        return FakeRelay::sse(...array_map(FakeRelay::eventFrame(...), $offsets));
    }

    /** @return list<Event> */
    private function events(int $after): array
    {
        $offsets = range($after, self::COUNT - 1);
        return array_map(fn (int $offset) => Event::of(FakeRelay::event($offset)), $offsets);
    }
}
