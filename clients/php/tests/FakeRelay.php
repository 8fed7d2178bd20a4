<?php

declare(strict_types=1);

/** A relay of a few events that can cut its answers after any byte, or never finish them. */
final class FakeRelay
{
    public const JOURNAL = '0190000000007000800000000000abcd';

    public readonly string $address;
    private readonly int $pid;
    /** @var resource where the requests are noted, one JSON object a line */
    private $notes;

    /**
     * In a process of its own.
     *
     * @param \Closure(array<string, mixed>, int): array{0: string, 1?: string, 2?: int} $reply of a
     *     request and its number: the bytes; what is done behind them (`end`, `reset`, or `keep`,
     *     which leaves the connection open); and how many of them are sent
     */
    public function __construct(private readonly \Closure $reply)
    {
        $server = stream_socket_server('tcp://127.0.0.1:0');
        $this->address = stream_socket_get_name($server, false);
        $this->notes = tmpfile();
        $this->pid = pcntl_fork();
        if ($this->pid === 0) {
            $this->serve($server);
        }
        fclose($server);
    }

    public function __destruct()
    {
        if ($this->pid > 0) {
            posix_kill($this->pid, SIGKILL);
            pcntl_waitpid($this->pid, $status);
        }
    }

    /** @return list<array<string, mixed>> what was asked so far */
    public function requests(): array
    {
        $file = stream_get_meta_data($this->notes)['uri'];
        $lines = explode("\n", trim((string) file_get_contents($file)));
        return array_map(fn (string $line) => json_decode($line, true), array_filter($lines));
    }

    public static function cursor(int $offset): string
    {
        return self::JOURNAL . ":$offset";
    }

    /** @return array<string, mixed> */
    public static function event(int $offset): array
    {
        return [
            'specversion' => '1.0', 'id' => self::cursor($offset), 'source' => '/cx/adherence',
            'type' => 'unbroken.change', 'subject' => "agent-$offset",
            'time' => '2026-01-01T00:00:00.000Z', 'datacontenttype' => 'application/json',
            'cursor' => self::cursor($offset + 1),
            'data' => ['key' => "agent-$offset", 'payload' => ['name' => 'Zoë 🙂', 'line' => "a\r\nb"]],
        ];
    }

    public static function frame(string $name, mixed $data, ?string $id = null): string
    {
        $text = json_encode($data, JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
        return ($id === null ? '' : "id: $id\n") . "event: $name\ndata: $text\n\n";
    }

    public static function eventFrame(int $offset): string
    {
        return self::frame('unbroken.change', self::event($offset), self::cursor($offset + 1));
    }

    public static function sse(string ...$frames): string
    {
        $text = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            . "Transfer-Encoding: chunked\r\n\r\n";
        foreach (["retry: 1000\n\n", ...$frames] as $frame) {
            $text .= dechex(strlen($frame)) . "\r\n$frame\r\n";
        }
        return $text;
    }

    public static function json(mixed $body, int $status = 200, string $head = ''): string
    {
        $text = json_encode($body, JSON_THROW_ON_ERROR);
        $length = strlen($text);
        return "HTTP/1.1 $status Whatever\r\n{$head}Content-Length: $length\r\n\r\n$text";
    }

    /** @param resource $server */
    private function serve($server): never
    {
        $kept = [];
        for ($count = 1; ; $count += 1) {
            $stream = @stream_socket_accept($server, 600);
            if ($stream === false) {
                exit(0);
            }
            $request = $this->read($stream);
            fwrite($this->notes, json_encode($request) . "\n");
            [$data, $how, $cut] = ($this->reply)($request, $count) + [1 => 'keep', 2 => null];
            fwrite($stream, substr($data, 0, $cut));
            if ($how === 'keep') {
                $kept[] = $stream;
                continue;
            }
            if ($how === 'reset') {
                $linger = ['l_onoff' => 1, 'l_linger' => 0];
                socket_set_option(socket_import_stream($stream), SOL_SOCKET, SO_LINGER, $linger);
            }
            fclose($stream);
        }
    }

    /**
     * @param resource $stream
     * @return array<string, mixed>
     */
    private function read($stream): array
    {
        $head = explode("\r\n", rtrim((string) stream_get_line($stream, 65536, "\r\n\r\n")));
        [$method, $target] = explode(' ', array_shift($head)) + ['', ''];
        $headers = [];
        foreach ($head as $line) {
            [$name, $value] = explode(': ', $line, 2);
            $headers[strtolower($name)] = $value;
        }
        $length = (int) ($headers['content-length'] ?? 0);
        $body = $length > 0 ? stream_get_contents($stream, $length) : '';
        $path = (string) parse_url($target, PHP_URL_PATH);
        $query = array_map('rawurldecode', explode('&', (string) parse_url($target, PHP_URL_QUERY)));
        return compact('method', 'path', 'query', 'headers', 'body');
    }
}
