/**
 * What the page holds, by itself: `node --test held.test.mjs`. State comes from the store, which
 * lags behind the events; neither may undo what the other has told later.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const code = readFileSync(new URL('../../crates/relay/page/held.js', import.meta.url), 'utf8');

const TIME = '2026-01-01T00:00:00.000Z';

/** The module with nothing in it: each test has its own. */
let copies = 0;
async function page() {
  const source = `${code}\n// ${(copies += 1)}`;
  const held = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const record = (offset, type, data) => held.applyRecord({
    id: `j:${offset}`, source: '/cx/a', type: `unbroken.${type}`, time: TIME, data,
  });
  const change = (key, deleted) => ({ effect: 'state', key, deleted, payload: {} });
  return {
    record,
    put: (offset, key) => record(offset, 'change', change(key, false)),
    remove: (offset, key) => record(offset, 'change', change(key, true)),
    item: (offset, key) => record(offset, 'snapshot_item', change(key, false)),
    state: (cursor, rows, { journal = 'j', whole = false } = {}) => held.applyState(
      Object.entries(rows).map(([key, offset]) => (
        { stream: 'cx/a', key, offset, payload: {}, received_at: TIME }
      )), `${journal}:${cursor}`, whole,
    ),
    keys: () => [...held.streams.get('cx/a').rows.keys()].sort(),
    remembered: () => held.streams.get('cx/a').gone.size,
  };
}

test('a state from before a delete does not bring the key back', async () => {
  const { put, remove, state, keys } = await page();
  state(2, { a: 0, b: 1 }, { whole: true });
  remove(2, 'a');
  put(3, 'c');
  assert.equal(state(2, { a: 0, b: 1 }), true);
  assert.deepEqual(keys(), ['b', 'c'], 'what came after it stays as it is');
  put(4, 'a');
  assert.deepEqual(keys(), ['a', 'b', 'c'], 'a later write is no part of the delete');
});

test('an answer that a later one has overtaken is asked for again', async () => {
  const { remove, state, keys, remembered } = await page();
  state(2, { a: 0, b: 1 }, { whole: true });
  remove(2, 'a');
  assert.equal(state(3, { b: 1 }), true);
  assert.equal(remembered(), 0, 'no state from before it can come any more');
  assert.equal(state(2, { a: 0, b: 1 }), false);
  assert.deepEqual(keys(), ['b']);
});

test('state that is ahead of the events is not undone by them', async () => {
  const { put, remove, state, keys } = await page();
  state(1, { a: 0 }, { whole: true });
  state(5, { b: 4 });
  put(2, 'a');
  assert.deepEqual(keys(), ['b'], 'it was deleted between');
  remove(3, 'b');
  assert.deepEqual(keys(), ['b'], 'it was written since');
  put(5, 'a');
  assert.deepEqual(keys(), ['a', 'b']);
});

test('rows that are newer than their cursor are kept', async () => {
  const { put, state, keys } = await page();
  state(3, { a: 7 }, { whole: true });
  put(4, 'b');
  state(3, { a: 7 });
  assert.deepEqual(keys(), ['a', 'b'], 'as long as a snapshot is under way');
});

test('an item of a snapshot loses against a delete that came after it', async () => {
  const { record, item, remove, state, keys } = await page();
  state(0, {}, { whole: true });
  record(0, 'snapshot_begin', { snapshot: 1 });
  item(1, 'a');
  item(2, 'b');
  remove(3, 'a');
  record(4, 'snapshot_end', { snapshot: 1 });
  assert.deepEqual(keys(), ['b']);
});

test('a key that was forgotten does not come back either', async () => {
  const { record, state, keys } = await page();
  state(2, { a: 0, b: 1 }, { whole: true });
  record(2, 'forgotten', { key: 'a' });
  state(2, { a: 0, b: 1 });
  assert.deepEqual(keys(), ['b']);
});

test('of many deletes only the last are remembered, and no key comes back all the same', async () => {
  const { remove, state, keys, remembered } = await page();
  const count = 12_000;
  const all = Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]));
  state(count, all, { whole: true });
  for (let n = 0; n < count; n += 1) remove(count + n, `k${n}`);
  assert.equal(remembered(), 10_000);
  assert.equal(state(count, all), false);
  assert.deepEqual(keys(), []);
  assert.equal(state(2 * count, {}), true);
  assert.equal(remembered(), 0);
});

test('another journal begins with its whole state', async () => {
  const { put, state, keys } = await page();
  state(9, { a: 8 }, { whole: true });
  state(90, { b: 80 }, { journal: 'k' });
  assert.deepEqual(keys(), ['a'], 'offsets of two journals cannot be compared');
  state(2, { b: 0 }, { journal: 'k', whole: true });
  put(2, 'c');
  assert.deepEqual(keys(), ['b', 'c']);
});
