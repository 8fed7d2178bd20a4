<?php

declare(strict_types=1);

namespace Unbroken;

use Psr\Http\Message\ResponseInterface;

/** The relay said no, and would say so again: nobody but the caller can decide what to do. */
final class ProblemException extends \RuntimeException
{
    /** Of the 4xx those that say "later": request timeout, too early, too many requests. */
    private const LATER = [408, 425, 429];

    /** Its short name: `cursor-expired`, `journal-changed`, `cursor-ahead`, … */
    public readonly string $name;

    /** With `cursor-expired` and `journal-changed`: the cursor of the oldest record kept. */
    public readonly ?string $oldest;

    /** With `cursor-ahead`: the cursor of the end. */
    public readonly ?string $latest;

    /** @param array<string, mixed> $problem its members (RFC 9457) */
    public function __construct(public readonly int $status, public readonly array $problem)
    {
        $text = fn (string $name): string => (string) ($problem[$name] ?? '');
        $parts = array_filter([$text('title'), $text('detail'), $text('hint')]);
        parent::__construct(implode('; ', $parts) ?: "status $status", $status);
        $this->name = basename($problem['type'] ?? '');
        $this->oldest = $problem['oldest'] ?? null;
        $this->latest = $problem['latest'] ?? null;
    }

    /** What an answer without success means. Reads its body. */
    public static function of(ResponseInterface $response): self|Unavailable
    {
        $status = $response->getStatusCode();
        if ($status < 400 || $status >= 500 || in_array($status, self::LATER, true)) {
            $after = $response->getHeaderLine('Retry-After');
            return new Unavailable("status $status", ctype_digit($after) ? (float) $after : 0);
        }
        $problem = json_decode($response->getBody()->getContents(), true);
        return new self($status, is_array($problem) ? $problem : ['status' => $status]);
    }
}
