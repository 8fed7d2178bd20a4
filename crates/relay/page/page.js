/**
 * The live page: a client of the public API like any other. It reads events for as long as it is
 * open, asks what events alone do not tell, and says loudly when it cannot.
 */
import { applyContact, applyLedger, applyRecord, applySource, applyState, changed, contact } from
  './held.js';
import { find, paintSoon, tick } from './paint.js';
import { ask, enter, enterAgain, heard, messages, read, Refused, Silence } from './service.js';

const POLL_MS = 5_000;
const RETRY_MS_MAX = 10_000;

const $ = (id) => document.getElementById(id);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** Where to go on; none: begin with state. */
let cursor;
let reading = new AbortController();

/** Reads for as long as the page is open. */
async function follow() {
  for (let failures = 0; ; failures += 1) {
    try {
      reading = new AbortController();
      const place = cursor ? `after=${encodeURIComponent(cursor)}` : 'from=state';
      const rows = [];
      for await (const message of messages(`v1/events/stream?${place}`, reading)) {
        failures = 0;
        if (contact.lostAt !== undefined) handleContact();
        handleMessage(message, rows);
      }
    } catch (error) {
      await handleFailure(error);
    }
    if (contact.lostAt === undefined) applyContact(heard.at ?? Date.now());
    await wait(Math.random() * Math.min(500 * 2 ** failures, RETRY_MS_MAX));
  }
}

function handleMessage({ event, data, id }, rows) {
  if (event === 'unbroken.end') throw new Silence('the service ended the stream');
  if (event === 'unbroken.state') rows.push(JSON.parse(data));
  else if (event === 'unbroken.synced') applyState(rows, id, true);
  else if (event !== 'unbroken.heartbeat' && applyRecord(JSON.parse(data))) {
    due = offsetOf(id);
    refreshSoon();
  }
  cursor = id ?? cursor;
}

async function handleFailure(error) {
  const { status } = error;
  if (error instanceof Silence) return;
  // Ours; the page goes on.
  if (!(error instanceof Refused)) console.error(error);
  if (status === 401) {
    if (!(await enterAgain())) await signIn();
  } else if (status === 400 || status === 409 || status === 410) {
    // The place is too old, or of another journal.
    cursor = undefined;
    due = 0;
  }
}

/** Back again: what came meanwhile comes as events; what may be old is asked for. */
function handleContact() {
  applyContact(undefined);
  refreshSoon();
}

/** Asks once for a burst of reasons. */
let refreshing;
function refreshSoon() {
  refreshing ??= setTimeout(() => {
    refreshing = undefined;
    refresh().catch(handleSilence);
  }, 400);
}

const offsetOf = (place) => Number(place.slice(place.lastIndexOf(':') + 1));

/** Behind the last record of which state has to be asked, and behind those that it was told with:
 * state is read from the store, which is a moment behind the events. */
let due = 0;
let shown = 0;

/** Phases, ledger, and which values may be old, as the service sees them. */
let tag = '';
async function refresh() {
  const asked = { headers: tag ? { 'if-none-match': tag } : {} };
  const [, { gaps }, state] = await Promise.all([
    poll(), read('v1/gaps'), ask('v1/state', asked),
  ]);
  applyLedger(gaps);
  let isTaken = true;
  if (state.status !== 304) {
    const { rows, cursor: at } = await state.json();
    isTaken = applyState(rows, at, false);
    tag = (isTaken && state.headers.get('etag')) || '';
    shown = offsetOf(at);
  }
  if (!isTaken || shown < due) refreshSoon();
}

async function poll() {
  for (const source of (await read('v1/sources')).sources) {
    for (const told of source.streams) applySource(told, source);
  }
}

/** It does not answer: whether or not the stream has noticed, it is gone. */
function handleSilence(error) {
  if (error instanceof Silence) reading.abort();
  else if (!(error instanceof Refused)) console.error(error);
}

/** Waits for a person with a token that the service takes. */
function signIn() {
  $('enter').hidden = false;
  $('leave').hidden = true;
  $('token').focus();
  return new Promise((done) => {
    $('enter').onsubmit = async (submitted) => {
      submitted.preventDefault();
      try {
        await enter($('token').value.trim());
      } catch (error) {
        const known = error instanceof Refused && error.status === 401;
        const failed = `It failed: ${error.message}`;
        $('refused').textContent = known ? 'This token is not good.' : failed;
        return;
      }
      $('token').value = '';
      $('enter').hidden = true;
      $('leave').hidden = false;
      done();
    };
  });
}

async function begin() {
  for (let begun = false; !begun; ) {
    await refresh().then(() => (begun = true), async (error) => {
      await handleFailure(error);
      if (!(error instanceof Refused)) await wait(1000);
    });
  }
  $('leave').hidden = false;
  $('board').hidden = false;
  setInterval(tick, 1000);
  setInterval(() => poll().catch(handleSilence), POLL_MS);
  await follow();
}

changed.soon = paintSoon;
$('find').addEventListener('input', () => find($('find').value));
$('leave').addEventListener('click', async () => {
  await ask('v1/session', { method: 'DELETE' }).catch(() => undefined);
  location.reload();
});
begin();
