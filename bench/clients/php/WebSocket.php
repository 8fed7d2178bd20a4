<?php

declare(strict_types=1);

/**
 * A WebSocket client (RFC 6455) on PHP's own streams: Debian packages none.
 * Text and binary messages, fragments, pings, the closing handshake; no extensions.
 */
final class WebSocket
{
    private const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
    private const BYTES_MAX = 16 << 20;

    /** @var resource */
    private $stream;

    /** @param array<string, string> $headers */
    public function __construct(string $url, array $headers, float $silence)
    {
        $parts = parse_url($url);
        $secure = $parts['scheme'] === 'wss';
        $port = $parts['port'] ?? ($secure ? 443 : 80);
        $address = ($secure ? 'tls' : 'tcp') . "://{$parts['host']}:$port";
        $stream = @stream_socket_client($address, $code, $reason, 10);
        if ($stream === false) {
            throw new RuntimeException("connect: $reason");
        }
        $this->stream = $stream;
        // A read that waits longer than this ends the connection.
        stream_set_timeout($stream, (int) $silence, (int) (fmod($silence, 1) * 1e6));
        $this->handshake($parts, "{$parts['host']}:$port", $headers);
    }

    /** The next message, or null once the server has closed. */
    public function receive(): ?string
    {
        $message = '';
        for (;;) {
            [$first, $second] = array_values(unpack('C2', $this->read(2)));
            $length = $second & 0x7f;
            if ($length === 126) {
                $length = unpack('n', $this->read(2))[1];
            } elseif ($length === 127) {
                $length = unpack('J', $this->read(8))[1];
            }
            if ($length < 0 || $length + strlen($message) > self::BYTES_MAX) {
                throw new RuntimeException('message too large');
            }
            $payload = $this->read($length);
            switch ($first & 0x0f) {
                case 0x0: // continuation
                case 0x1: // text
                case 0x2: // binary
                    $message .= $payload;
                    if ($first & 0x80) {
                        return $message;
                    }
                    break;
                case 0x8: // close
                    $this->write(0x8, $payload);
                    return null;
                case 0x9: // ping
                    $this->write(0xa, $payload);
                    break;
            }
        }
    }

    public function send(string $text): void
    {
        $this->write(0x1, $text);
    }

    public function close(): void
    {
        @fclose($this->stream);
    }

    /**
     * @param array<string, mixed> $parts
     * @param array<string, string> $headers
     */
    private function handshake(array $parts, string $host, array $headers): void
    {
        $key = base64_encode(random_bytes(16));
        $target = ($parts['path'] ?? '/') . (isset($parts['query']) ? "?{$parts['query']}" : '');
        $headers += [
            'Host' => $host,
            'Upgrade' => 'websocket',
            'Connection' => 'Upgrade',
            'Sec-WebSocket-Key' => $key,
            'Sec-WebSocket-Version' => '13',
        ];
        $request = "GET $target HTTP/1.1\r\n";
        foreach ($headers as $name => $value) {
            $request .= "$name: $value\r\n";
        }
        $this->put("$request\r\n");
        $status = $this->line();
        $answer = [];
        while (($line = $this->line()) !== '') {
            [$name, $value] = explode(':', $line, 2) + [1 => ''];
            $answer[strtolower($name)] = trim($value);
        }
        if (!preg_match('#^HTTP/1\.1 101\b#', $status)) {
            throw new RuntimeException("handshake: $status");
        }
        $accept = base64_encode(sha1($key . self::GUID, true));
        if (($answer['sec-websocket-accept'] ?? '') !== $accept) {
            throw new RuntimeException('handshake: wrong Sec-WebSocket-Accept');
        }
    }

    private function write(int $opcode, string $payload): void
    {
        $length = strlen($payload);
        $head = chr(0x80 | $opcode) . match (true) {
            $length < 126 => chr(0x80 | $length),
            $length < 65536 => chr(0x80 | 126) . pack('n', $length),
            default => chr(0x80 | 127) . pack('J', $length),
        };
        $mask = random_bytes(4);
        $this->put($head . $mask . ($payload ^ str_pad('', $length, $mask)));
    }

    private function put(string $bytes): void
    {
        while ($bytes !== '') {
            $written = @fwrite($this->stream, $bytes);
            if ($written === false || $written === 0) {
                throw new RuntimeException('connection lost');
            }
            $bytes = substr($bytes, $written);
        }
    }

    private function read(int $length): string
    {
        $bytes = '';
        while (strlen($bytes) < $length) {
            $chunk = @fread($this->stream, $length - strlen($bytes));
            $this->check($chunk);
            $bytes .= $chunk;
        }
        return $bytes;
    }

    private function line(): string
    {
        $line = @fgets($this->stream, 65536);
        $this->check($line);
        return rtrim($line, "\r\n");
    }

    private function check(string|false $read): void
    {
        if ($read === false || $read === '') {
            $silent = stream_get_meta_data($this->stream)['timed_out'];
            throw new RuntimeException($silent ? 'connection silent' : 'connection lost');
        }
    }
}
