/**
 * The relay against its own description: schemathesis makes requests of all kinds from
 * `/openapi.json`, good and bad, and looks whether the answers are what it says.
 *
 *   node openapi.mjs --unbroken PATH --schemathesis PATH [--examples 50] [--seed 1]
 *
 * A simulated vendor is recorded meanwhile. Left out: the streams, which never end; what they
 * refuse is seen by `crates/relay/tests`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { configure, Service, simulate } from './service.mjs';

const { values: args } = parseArgs({
  options: {
    unbroken: { type: 'string' },
    schemathesis: { type: 'string' },
    examples: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
  },
});

/** The stream is to be Live, so that there is something to ask for. */
async function ready(url, token) {
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(50)) {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${url}/readyz`, { headers }).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error('the service does not become ready');
}

const unbroken = resolve(args.unbroken);
const dir = mkdtempSync(join(tmpdir(), 'unbroken-openapi-'));
const told = await simulate(unbroken, ['--agents', '20', '--rate', '50']);
const service = new Service(unbroken, configure(dir, told), (why) => {
  console.error(`openapi: ${why}`);
  process.exit(1);
});
service.start();
const token = await service.token();
const { host, port } = service.address();
const url = `http://${host}:${port}`;
await ready(url, token);
// All checks but one: a cursor may be well written and yet of another journal: 410 is right, and not
// what that check expects of a request that the description allows. And to be not ready is no failure
// of the server: the requests themselves ask for resyncs. Checks named on the command line would
// override what is said here of one path.
const checks = join(dir, 'schemathesis.toml');
writeFileSync(checks, `[checks]
positive_data_acceptance.enabled = false

[[operations]]
include-path = "/readyz"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
`);
const words = [
  '--config-file', checks, 'run', `${url}/openapi.json`, '--url', url,
  '--header', `Authorization: Bearer ${token}`,
  '--no-color', '--max-examples', args.examples, '--seed', args.seed,
  '--exclude-path', '/v1/events/stream', '--exclude-path', '/v1/ws', '--request-timeout', '20',
];
const fuzzer = spawn(args.schemathesis, words, { stdio: 'inherit', cwd: dir });
const [code] = await once(fuzzer, 'close');
await service.stop();
rmSync(dir, { recursive: true, force: true });
process.exit(code ?? 1);
