<?php

/** Runs every `test…` method of the classes beside it. Any failed check ends it with code 1. */

declare(strict_types=1);

require __DIR__ . '/../autoload.php';
require __DIR__ . '/FakeRelay.php';

set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
    // What is silenced with @ is expected.
    if (error_reporting() & $level) {
        throw new \ErrorException($message, 0, $level, $file, $line);
    }
    return true;
});

function same(mixed $expected, mixed $found, string $what = ''): void
{
    if ($expected !== $found) {
        $texts = array_map(fn ($value) => var_export($value, true), [$expected, $found]);
        throw new \LogicException("$what\nexpected $texts[0]\nfound $texts[1]");
    }
}

/** Objects of values. */
function equal(mixed $expected, mixed $found, string $what = ''): void
{
    same(serialize($expected), serialize($found), $what);
}

/** @template E of \Throwable @param class-string<E> $class @return E */
function thrown(string $class, \Closure $call): \Throwable
{
    try {
        $call();
    } catch (\Throwable $error) {
        if ($error instanceof $class) {
            return $error;
        }
        throw $error;
    }
    throw new \LogicException("no $class was thrown");
}

[$count, $failed] = [0, 0];
foreach (['SseTest', 'FollowerTest', 'ClientTest'] as $class) {
    require __DIR__ . "/$class.php";
    foreach (get_class_methods($class) as $method) {
        if (!str_starts_with($method, 'test')) {
            continue;
        }
        $count += 1;
        try {
            (new $class())->$method();
        } catch (\Throwable $error) {
            $failed += 1;
            echo "$class::$method: $error\n";
        }
    }
}
echo "$count tests, $failed failed\n";
exit($failed === 0 && $count > 0 ? 0 : 1);
