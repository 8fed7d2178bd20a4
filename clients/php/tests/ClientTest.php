<?php

declare(strict_types=1);

use Unbroken\Event;
use Unbroken\ProblemException;
use Unbroken\Unavailable;
use Unbroken\Unbroken;

final class ClientTest
{
    public function testEachCallAsksWhatItSaysWithTheToken(): void
    {
        $relay = new FakeRelay(fn (array $request): array => [FakeRelay::json([
            'cursor' => FakeRelay::cursor(1), 'rows' => [['key' => 'a', 'stale_since' => 'then']],
            'gaps' => [$request['query']], 'sources' => [$request['path']],
            'streams' => [$request['path'], $request['body']],
            'events' => [FakeRelay::event(0)],
        ]), 'end']);
        $client = new Unbroken(url: "http://$relay->address/", token: 'ubk_x');
        $state = $client->state(source: 'cx/a', status: 'stale', tombstones: true);
        [$row] = $state->rows;
        same([FakeRelay::cursor(1), 'a', 'then'], [$state->cursor, $row->key, $row->staleSince]);
        same([['open=true']], $client->gaps(open: true));
        same(['/v1/sources'], $client->sources());
        same(['/v1/sources/c%2Fx/resync', '{"keys":["a"]}'], $client->resync('c/x', ['a']));
        same(['/v1/sources/cx/resync', '{}'], $client->resync('cx'));
        $page = $client->page(FakeRelay::cursor(0), limit: 7, waitMs: 50);
        same(FakeRelay::cursor(1), $page->cursor);
        equal([Event::of(FakeRelay::event(0))], $page->events);
        $requests = $relay->requests();
        same(['source=cx/a', 'status=stale', 'tombstones=true'], $requests[0]['query']);
        same('POST', $requests[3]['method']);
        same(['after=' . FakeRelay::cursor(0), 'limit=7', 'wait=50'], $requests[5]['query']);
        foreach ($requests as $request) {
            same('Bearer ubk_x', $request['headers']['authorization']);
        }
    }

    public function testACallThatFailsThrows(): void
    {
        $problem = ['type' => '/problems/scope-missing'];
        $relay = new FakeRelay(fn (array $request, int $count): array =>
            [FakeRelay::json($problem, $count === 1 ? 403 : 503), 'end']);
        $client = new Unbroken(url: "http://$relay->address");
        same('scope-missing', thrown(ProblemException::class, fn () => $client->state())->name);
        thrown(Unavailable::class, fn () => $client->state());
    }

    public function testACallWhoseAnswerIsCutThrows(): void
    {
        $whole = FakeRelay::json(['cursor' => FakeRelay::cursor(1), 'rows' => []]);
        $relay = new FakeRelay(fn (array $request, int $count): array =>
            [$whole, 'end', 9 * ($count - 1)]);
        $client = new Unbroken(url: "http://$relay->address");
        for ($cut = 0; $cut < strlen($whole); $cut += 9) {
            thrown(Unavailable::class, fn () => $client->state());
        }
    }

    public function testWhatCanNeverBeRightIsRefusedAtOnce(): void
    {
        $wrong = [
            [], ['url' => 'localhost:8470'], ['url' => 'ftp://relay'],
            ['dataDir' => '/x', 'url' => 'http://relay'],
            ['url' => 'http://relay', 'token' => "a\nb"],
        ];
        foreach ($wrong as $arguments) {
            thrown(\InvalidArgumentException::class, fn () => new Unbroken(...$arguments));
        }
    }

    public function testADataDirectoryIsReadAgainForEachConnection(): void
    {
        $dir = sys_get_temp_dir() . '/unbroken-client-' . bin2hex(random_bytes(6));
        mkdir($dir, 0700);
        $relays = array_map(fn (int $offset) => new FakeRelay(
            fn () => [FakeRelay::sse(FakeRelay::eventFrame($offset)), 'end'],
        ), [0, 1]);
        $failures = 0;
        $failed = function () use (&$failures, $dir, $relays): void {
            $failures += 1;
            if ($failures === 2 || $failures === 3) {
                file_put_contents("$dir/relay.token", 'ubk_' . ($failures - 2) . "\n");
                file_put_contents("$dir/relay.addr", $relays[$failures - 2]->address . "\n");
            }
        };
        $offsets = [];
        foreach ((new Unbroken(dataDir: $dir, retryS: 0.001, onRetry: $failed))->events() as $event) {
            $offsets[] = $event->subject;
            if (count($offsets) === 2) {
                break;
            }
        }
        array_map(unlink(...), glob("$dir/*"));
        rmdir($dir);
        same(['agent-0', 'agent-1'], $offsets);
        foreach ($relays as $offset => $relay) {
            same("Bearer ubk_$offset", $relay->requests()[0]['headers']['authorization']);
        }
    }
}
