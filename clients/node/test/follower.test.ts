import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { ProblemError, Unbroken, type Item, type Options } from '../src/index.js';
import {
  cursor, event, eventFrame, FakeRelay, frame, json, sse, type Answer, type Request,
} from './relay.js';

const COUNT = 4;

async function start(
  t: TestContext,
  answer: (request: Request, count: number) => Answer | undefined,
  options: Partial<Options> = {},
) {
  const relay = new FakeRelay(answer);
  t.after(() => relay.close());
  const url = await relay.listen();
  return { relay, unbroken: new Unbroken({ url, token: 'ubk_x', retryMs: 0, ...options }) };
}

function place(query: URLSearchParams): number {
  const after = query.get('after') ?? 'oldest';
  return after === 'oldest' ? 0 : Number(after.split(':')[1]);
}

/** What a right relay answers: everything behind `after`. */
function tail({ query }: Request): string {
  const from = place(query);
  const offsets = Array.from({ length: COUNT - from }, (_, index) => from + index);
  return sse(...offsets.map(eventFrame));
}

async function take<T>(items: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of items) if (taken.push(item) === count) break;
  return taken;
}

const EVENTS = Array.from({ length: COUNT }, (_, offset) => event(offset));

test('wherever a connection is cut, each event comes once and in order', async (t) => {
  // Without the end of its last chunk: what comes before it is all that there is.
  const length = Buffer.byteLength(tail({ query: new URLSearchParams() } as Request)) - 2;
  let cut: Answer['cut'];
  const { unbroken, relay } = await start(t, (request) => {
    const answer = { text: tail(request), ...(cut ? { cut } : {}) };
    cut = undefined;
    return answer;
  }, { heartbeatTimeoutMs: 20 });
  // Each byte of the head and of the first two events; further on, one of several.
  let cuts = 0;
  for (let after = 0; after < length; after += after < 900 ? 1 : 7) {
    cuts += 1;
    const how = after % 61 === 0 ? 'silence' : after % 2 ? 'end' : 'reset';
    cut = { after, how };
    const taken = await take(unbroken.events(), COUNT);
    assert.deepEqual(taken, EVENTS, `${how} after ${after} bytes`);
  }
  // On a busy machine a stream may seem silent that is not: that is one request more.
  assert.ok(relay.requests.length >= 2 * cuts);
});

test('a stream cut again and again goes on from its last event', async (t) => {
  const { unbroken, relay } = await start(t, (request) => {
    const text = tail(request);
    const second = text.indexOf('\n\n', text.indexOf('data:')) + 10;
    return { text, cut: { after: Buffer.byteLength(text.slice(0, second)), how: 'end' } };
  });
  assert.deepEqual(await take(unbroken.events(), COUNT), EVENTS);
  const asked = relay.requests.map((request) => request.query.get('after'));
  assert.deepEqual(asked, ['oldest', cursor(1), cursor(2), cursor(3)]);
});

test('an end of the stream that is asked for is settled once', async (t) => {
  const { unbroken, relay } = await start(t, ({ path, query }, count) => {
    if (path === '/v1/events') return json({ cursor: cursor(2), events: [] });
    assert.equal(query.get('after'), cursor(2));
    return { text: count === 2 ? sse() : sse(eventFrame(2)), end: count === 2 };
  });
  assert.deepEqual(await take(unbroken.events({ after: 'latest' }), 1), [event(2)]);
  const paths = relay.requests.map((request) => request.path);
  assert.deepEqual(paths, ['/v1/events', '/v1/events/stream', '/v1/events/stream']);
});

test('a heartbeat moves the place over what a filter left out', async (t) => {
  const beat = frame('unbroken.heartbeat', { cursor: cursor(3) }, cursor(3));
  const { unbroken, relay } = await start(t, (_, count) =>
    count === 1 ? { text: sse(beat), end: true } : { text: sse(eventFrame(3)) },
  );
  const filter = { source: 'cx', keys: ['a b', 'c'], keyPrefix: 'p', kinds: ['change'] as const };
  const events = unbroken.events({ after: cursor(0), ...filter });
  assert.deepEqual(await take(events, 1), [event(3)]);
  assert.equal(events.cursor, cursor(4));
  const [first, second] = relay.requests.map((request) => request.query.toString());
  const query = 'source=cx&key=a+b&key=c&key_prefix=p&kind=change&after=';
  assert.equal(first, query + encodeURIComponent(cursor(0)));
  assert.equal(second, query + encodeURIComponent(cursor(3)));
});

test('a refusal is thrown with what the problem says', async (t) => {
  const refusals = [
    { status: 410, code: 'cursor-expired', more: { oldest: cursor(9) } },
    { status: 410, code: 'journal-changed', more: { oldest: cursor(0) } },
    { status: 409, code: 'cursor-ahead', more: { latest: cursor(4) } },
    { status: 401, code: 'token-missing', more: {} },
    { status: 400, code: 'cursor-invalid', more: {} },
  ];
  for (const { status, code, more } of refusals) {
    const problem = { type: `/problems/${code}`, title: 'No', detail: 'so', status, ...more };
    const { unbroken, relay } = await start(t, () => json(problem, status));
    await assert.rejects(take(unbroken.events({ after: cursor(1) }), 1), (error) => {
      assert.ok(error instanceof ProblemError);
      assert.deepEqual([error.status, error.code, error.problem], [status, code, problem]);
      assert.deepEqual({ oldest: error.oldest, latest: error.latest },
        { oldest: undefined, latest: undefined, ...more });
      assert.equal(error.message, 'No; so');
      return true;
    });
    assert.equal(relay.requests.length, 1);
  }
});

test('a refusal without a problem is a refusal', async (t) => {
  const html = 'HTTP/1.1 404 Not Found\r\ncontent-length: 6\r\n\r\n<html>';
  const { unbroken } = await start(t, () => ({ text: html }));
  await assert.rejects(take(unbroken.events(), 1), { name: 'ProblemError', status: 404, code: '' });
});

test('whatever else goes wrong is tried again, and told', async (t) => {
  const told: string[] = [];
  const answers: Answer[] = [
    json({ type: '/problems/busy' }, 503, 'retry-after: 0.05\r\n'),
    json({}, 429),
    json({ not: 'a stream' }),
    { text: 'garbage\r\n\r\n', end: true },
    { text: sse(frame('unbroken.change', 'x', 'y').replace('"x"', '{')), end: true },
    { text: sse(eventFrame(0), frame('unbroken.end', { title: 'restart' }, cursor(1))), end: true },
    { text: sse(eventFrame(1)) },
  ];
  const { unbroken, relay } = await start(t, (_, count) => answers[count - 1], {
    onRetry: (error, delayMs) => told.push(`${String(error)} ${delayMs >= 50 ? 'later' : 'now'}`),
  });
  assert.deepEqual(await take(unbroken.events(), 2), [event(0), event(1)]);
  assert.equal(relay.requests.at(-1)?.query.get('after'), cursor(1));
  assert.equal(told.length, answers.length - 1);
  assert.equal(told[0], 'Unavailable: status 503 later');
  assert.equal(told[1], 'Unavailable: status 429 now');
  assert.match(told[5] ?? '', /restart/);
});

test('a stream that falls silent is dropped, a slow reader is not silence', async (t) => {
  // The third event is there only for who comes again.
  const { unbroken, relay } = await start(t, ({ query }) => {
    const after = place(query);
    return { text: after < 2 ? sse(...[0, 1].slice(after).map(eventFrame)) : sse(eventFrame(2)) };
  }, { heartbeatTimeoutMs: 60 });
  const events = unbroken.events();
  assert.deepEqual((await events.next()).value, event(0));
  const asked = relay.requests.length;
  await sleep(150);
  assert.equal(relay.requests.length, asked);
  assert.deepEqual((await events.next()).value, event(1));
  assert.deepEqual((await events.next()).value, event(2));
  assert.equal(relay.requests.at(-1)?.query.get('after'), cursor(2));
  await events.return();
});

test('leaving the loop closes the connection, and a signal ends a wait', async (t) => {
  const end = new AbortController();
  const { unbroken, relay } = await start(t, tailOnly, { signal: end.signal });
  await take(unbroken.events(), 1);
  while (relay.connections > 0) await sleep(2);
  const events = unbroken.events({ after: cursor(COUNT) });
  const next = events.next();
  while (relay.requests.length < 2) await sleep(2);
  end.abort(new Error('enough'));
  await assert.rejects(next, { message: 'enough' });
});

const tailOnly = (request: Request): Answer => ({ text: tail(request) });

test('wherever state is cut, it comes once and whole, and then the events', async (t) => {
  const rows = [{ key: 'a', stale_since: null }, { key: 'b', stale_since: null }];
  const list = sse(
    ...rows.map((row) => frame('unbroken.state', row)),
    frame('unbroken.synced', { cursor: cursor(2) }, cursor(2)), eventFrame(2), eventFrame(3),
  );
  let cut: Answer['cut'];
  const { unbroken } = await start(t, (request) => {
    const text = request.query.get('from') === 'state' ? list : tail(request);
    const answer = { text, ...(cut ? { cut } : {}) };
    cut = undefined;
    return answer;
  });
  const expected = [
    ...rows.map((row) => ({ type: 'row', row })), { type: 'synced', cursor: cursor(2) },
    { type: 'event', event: event(2) }, { type: 'event', event: event(3) },
  ];
  for (let after = 0; after < Buffer.byteLength(list); after += 3) {
    cut = { after, how: after % 2 ? 'end' : 'reset' };
    const items: Item[] = await take(unbroken.fromState(), expected.length);
    assert.deepEqual(items, expected, `cut after ${after} bytes`);
  }
});

test('the place is behind state only once all of it was handed out', async (t) => {
  const synced = frame('unbroken.synced', { cursor: cursor(2) }, cursor(2));
  const { unbroken } = await start(t, () => ({
    text: sse(frame('unbroken.state', { key: 'a' }), synced),
  }));
  const items = unbroken.fromState();
  await items.next();
  assert.equal(items.cursor, undefined);
  await items.next();
  assert.equal(items.cursor, cursor(2));
  await items.return();
});
