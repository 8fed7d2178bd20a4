<?php

/** For who does without Composer: Guzzle as Debian installs it, and this client. */

declare(strict_types=1);

require_once 'GuzzleHttp/autoload.php';

spl_autoload_register(static function (string $class): void {
    $file = __DIR__ . '/src/' . substr($class, strlen('Unbroken\\')) . '.php';
    if (str_starts_with($class, 'Unbroken\\') && is_file($file)) {
        require $file;
    }
});
