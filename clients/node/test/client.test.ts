import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { Unbroken } from '../src/index.js';
import { cursor, event, eventFrame, FakeRelay, json, sse, type Request } from './relay.js';

async function directory(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'unbroken-client-'));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

function answers({ method, path, query, headers, body }: Request) {
  const asked = { method, path, query: String(query), auth: headers.get('authorization'), body };
  if (path === '/v1/state') return json({ cursor: cursor(1), rows: [asked] });
  return json({ gaps: [asked], sources: [asked], streams: [path] });
}

test('each call asks what it says, with the token', async (t) => {
  const relay = new FakeRelay(answers);
  t.after(() => relay.close());
  const unbroken = new Unbroken({ url: `${await relay.listen()}/`, token: 'ubk_x' });
  const auth = 'Bearer ubk_x';
  const asked = { method: 'GET', auth, body: '' };
  assert.deepEqual(await unbroken.state({ source: 'cx/a', status: 'stale', tombstones: true }), {
    cursor: cursor(1),
    rows: [{ ...asked, path: '/v1/state', query: 'source=cx%2Fa&status=stale&tombstones=true' }],
  });
  assert.deepEqual(await unbroken.gaps({ open: true }),
    [{ ...asked, path: '/v1/gaps', query: 'open=true' }]);
  assert.deepEqual(await unbroken.sources(), [{ ...asked, path: '/v1/sources', query: '' }]);
  assert.deepEqual(await unbroken.resync('c/x', ['a']), ['/v1/sources/c%2Fx/resync']);
  const { method, body, headers } = relay.requests[3]!;
  assert.deepEqual([method, body, headers.get('content-type')],
    ['POST', '{"keys":["a"]}', 'application/json']);
});

test('a call that fails throws', async (t) => {
  const problem = { type: '/problems/scope-missing', title: 'No' };
  const relay = new FakeRelay((_, count) => json(problem, count === 1 ? 403 : 503));
  t.after(() => relay.close());
  const unbroken = new Unbroken({ url: await relay.listen() });
  await assert.rejects(unbroken.state(), { name: 'ProblemError', code: 'scope-missing' });
  await assert.rejects(unbroken.state(), { name: 'Unavailable', message: 'status 503' });
});

test('what can never be right is refused at once', () => {
  assert.throws(() => new Unbroken({ url: 'localhost:8470' }), TypeError);
  assert.throws(() => new Unbroken({ url: 'relay' }), TypeError);
  assert.throws(() => new Unbroken({ url: 'http://relay', token: 'a\nb' }), TypeError);
});

test('a data directory is read again for each connection', async (t) => {
  const dir = await directory(t);
  const failures: unknown[] = [];
  const unbroken = new Unbroken({ dataDir: dir, retryMs: 1, onRetry: (e) => failures.push(e) });
  const events = unbroken.events();
  const first = events.next();
  while (failures.length < 2) await new Promise((done) => setTimeout(done, 1));
  for (const offset of [0, 1]) {
    const relay = new FakeRelay(() => ({ text: sse(eventFrame(offset)) }));
    const url = await relay.listen();
    await writeFile(join(dir, 'relay.token'), `ubk_${offset}\n`);
    await writeFile(join(dir, 'relay.addr'), `${url.slice('http://'.length)}\n`);
    const { value } = offset === 0 ? await first : await events.next();
    assert.deepEqual(value, event(offset));
    assert.equal(relay.requests[0]?.headers.get('authorization'), `Bearer ubk_${offset}`);
    relay.close();
  }
  await events.return();
});

test('a Unix socket does as well', async (t) => {
  const state = json({ cursor: cursor(0), rows: [] });
  const relay = new FakeRelay(({ path }) =>
    path === '/v1/state' ? state : { text: sse(eventFrame(0)) },
  );
  t.after(() => relay.close());
  const socket = await relay.listen(join(await directory(t), 'relay.sock'));
  const unbroken = new Unbroken({ socket });
  assert.equal((await unbroken.state()).cursor, cursor(0));
  for await (const first of unbroken.events()) {
    assert.deepEqual(first, event(0));
    break;
  }
  assert.equal(relay.requests[0]?.headers.get('authorization'), undefined);
  while (relay.connections > 0) await new Promise((done) => setTimeout(done, 1));
});
