/**
 * Reads COUNT events from URL, by nothing but the cursor, and checks that each comes once and in
 * order: `torture.js URL COUNT SEED`. Now and then it throws its client away, as a crash would, and
 * begins a new one from the cursor that it stored last. What it prints: `clients/torture/run.mjs`.
 */
import { createHash } from 'node:crypto';

import { Unbroken, type Event } from './src/index.js';

const [url = '', count = '0', seed = '1'] = process.argv.slice(2);
const COUNT = Number(count);

/** Numerical Recipes' generator: one seed, one run, in every language. */
let state = Number(seed) >>> 0;
const below = (bound: number) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * bound);
};

const say = (line: object) => console.log(JSON.stringify(line));

const digest = createHash('sha256');
let [read, retries, restarts] = [0, 0, 0];
let stored = 'oldest';
let reported = 0;

/** The effect of an event, and its cursor with it. */
function store(event: Event): void {
  const [journal, offset] = event.id.split(':');
  if (offset !== String(read) || event.cursor !== `${journal}:${read + 1}`) {
    say({ wrong: `event ${event.id} with cursor ${event.cursor} came as the ${read}th` });
    process.exit(1);
  }
  const data = event.data as { key?: string; position?: { sequence?: number } };
  const parts = [event.id, event.source, event.type, event.subject ?? '', event.time];
  parts.push(data.key ?? '', String(data.position?.sequence ?? ''));
  digest.update(`${parts.join(' ')}\n`);
  stored = event.cursor;
  read += 1;
  if (read - reported >= COUNT / 200) {
    reported = read;
    say({ read });
  }
}

while (read < COUNT) {
  const unbroken = new Unbroken({
    url, token: process.env['UNBROKEN_TOKEN'] ?? '', heartbeatTimeoutMs: 3000, retryMs: 200,
    retryMsMax: 1000,
    onRetry: () => (retries += 1),
  });
  let left = Math.min(1 + below(COUNT / 10), COUNT - read);
  for await (const event of unbroken.events({ after: stored })) {
    store(event);
    left -= 1;
    if (left === 0) break;
  }
  restarts += 1;
}
say({ read, retries, restarts, digest: digest.digest('hex') });
process.exit(0);
