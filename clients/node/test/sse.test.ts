import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SseDecoder, type Message } from '../src/sse.js';

const decode = (...pieces: Uint8Array[]): Message[] => {
  const decoder = new SseDecoder();
  return pieces.flatMap((piece) => decoder.push(piece));
};

const bytes = (text: string) => new TextEncoder().encode(text);

const STREAM =
  '\uFEFF: hello\r\nretry: 250\r\rid: a:1\nevent: unbroken.change\ndata: {"n":"Zoë 🙂"}\n\n' +
  'data: one\r\ndata:two\r\ndata\r\ndata:  three\r\n\r\n' +
  ':\r\revent: nothing\r\r' +
  'id: a:2\r\rdata: behind\r\rid: no\0id\ndata: x\n\nid\ndata: none\n\ndata: not whole\n';

const MESSAGES: Message[] = [
  { event: 'unbroken.change', data: '{"n":"Zoë 🙂"}', id: 'a:1' },
  { event: 'message', data: 'one\ntwo\n\n three', id: 'a:1' },
  { event: 'message', data: 'behind', id: 'a:2' },
  { event: 'message', data: 'x', id: 'a:2' },
  { event: 'message', data: 'none', id: '' },
];

test('a stream is decoded as the specification says', () => {
  assert.deepEqual(decode(bytes(STREAM)), MESSAGES);
});

test('it does not matter where a stream is split', () => {
  const whole = bytes(STREAM);
  for (let first = 0; first <= whole.length; first += 1) {
    for (const second of [first, first + 1, first + 2, first + 7]) {
      const pieces = [
        whole.subarray(0, first), whole.subarray(first, second), whole.subarray(second),
      ];
      assert.deepEqual(decode(...pieces), MESSAGES, `split at ${first} and ${second}`);
    }
  }
  assert.deepEqual(decode(...[...whole].map((byte) => Uint8Array.of(byte))), MESSAGES);
});

test('the wait that the server asks for is known', () => {
  const decoder = new SseDecoder();
  decoder.push(bytes('retry: 250\nretry: soon\nretry:\n'));
  assert.equal(decoder.retryMs, 250);
});

test('what a cut leaves behind is no event', () => {
  const text = 'id: a:1\ndata: 1\n\nid: a:2\ndata: 2\n\n';
  const seen = [...bytes(text).keys()].map((end) => decode(bytes(text).subarray(0, end)).length);
  const first = text.indexOf('\n\n') + 2;
  assert.deepEqual(seen, seen.map((_, end) => (end < first ? 0 : 1)));
});
