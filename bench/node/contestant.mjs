// What one writes in Node to store an event stream: ws, JSON.parse, a position to tell repetitions
// from, and a store. Modes:
//   one     each event in a transaction of its own
//   batch   transactions of whatever has come, at most 1,000 events
//   ndjson  lines into a file, never synced
// All SQLite modes: better-sqlite3, prepared statements, WAL, synchronous = FULL; event, state and
// position in one transaction, as is needed to go on after a crash.
//
// Prints `stored COUNT LAST_SEQUENCE WALL_US` when the expected number of events is stored, and
// ends when its standard input does. `--commits FILE` gets when each commit returned.

import { createWriteStream, writeFileSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import http from 'node:http';
import https from 'node:https';
import WebSocket from 'ws';
import Database from 'better-sqlite3';

const { values: options } = parseArgs({
  options: {
    mode: { type: 'string' },
    origin: { type: 'string' },
    ca: { type: 'string' },
    file: { type: 'string' },
    expect: { type: 'string' },
    commits: { type: 'string' },
    linger: { type: 'string', default: '0' },
  },
});
const BATCH_MAX = 1000;
const expected = Number(options.expect);
const lingerMs = Number(options.linger);
const ca = options.ca ? readFileSync(options.ca) : undefined;
const secure = options.ca !== undefined;

const wallUs = () => Math.round((performance.timeOrigin + performance.now()) * 1000);
const commits = [];
let stored = 0;

function committed(count, last) {
  stored += count;
  const at = wallUs();
  commits.push([stored, at]);
  if (stored === expected) {
    process.stdout.write(`stored ${stored} ${last} ${at}\n`);
    if (options.commits) writeFileSync(options.commits, JSON.stringify(commits));
  }
}

function openDatabase() {
  const db = new Database(options.file);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec(`
    CREATE TABLE events (seq INTEGER PRIMARY KEY, agent TEXT NOT NULL, at TEXT NOT NULL,
                         body TEXT NOT NULL);
    CREATE TABLE agents (agent TEXT PRIMARY KEY, seq INTEGER NOT NULL, body TEXT NOT NULL)
      WITHOUT ROWID;
    CREATE TABLE position (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL);
    INSERT INTO position VALUES (1, 0);
  `);
  const event = db.prepare('INSERT INTO events VALUES (?, ?, ?, ?)');
  const agent = db.prepare(`INSERT INTO agents VALUES (?, ?, ?)
    ON CONFLICT (agent) DO UPDATE SET seq = excluded.seq, body = excluded.body`);
  const position = db.prepare('UPDATE position SET seq = ? WHERE id = 1');
  return db.transaction((batch) => {
    for (const { seq, who, at, body } of batch) {
      event.run(seq, who, at, body);
      agent.run(who, seq, body);
    }
    position.run(batch[batch.length - 1].seq);
  });
}

function makeSink() {
  if (options.mode === 'ndjson') {
    const out = createWriteStream(options.file);
    let lines = [];
    return (item) => {
      lines.push(item.body);
      if (lines.length > 1) return;
      setImmediate(() => {
        const count = lines.length;
        const text = lines.join('\n') + '\n';
        lines = [];
        out.write(text, () => committed(count, seen));
      });
    };
  }
  const store = openDatabase();
  if (options.mode === 'one') {
    return (item) => {
      store([item]);
      committed(1, item.seq);
    };
  }
  let batch = [];
  let planned = null;
  const flush = () => {
    planned = null;
    if (batch.length === 0) return;
    const full = batch;
    batch = [];
    store(full);
    committed(full.length, full[full.length - 1].seq);
  };
  return (item) => {
    batch.push(item);
    if (batch.length >= BATCH_MAX) {
      if (planned !== null) lingerMs > 0 ? clearTimeout(planned) : clearImmediate(planned);
      flush();
    } else if (planned === null) {
      planned = lingerMs > 0 ? setTimeout(flush, lingerMs) : setImmediate(flush);
    }
  };
}

function ask(path, method = 'GET', body = '') {
  const { request } = secure ? https : http;
  const url = `${secure ? 'https' : 'http'}://${options.origin}${path}`;
  return new Promise((resolve, reject) => {
    const req = request(url, { method, ca }, (answer) => {
      let text = '';
      answer.on('data', (part) => (text += part));
      answer.on('end', () => resolve(JSON.parse(text)));
    });
    req.on('error', reject);
    req.end(body);
  });
}

let seen = 0;
const { access_token: token } = await ask('/token', 'POST', 'grant_type=client_credentials');
seen = (await ask('/api/v2/wfm/schedules?limit=1')).sequenceId;
const sink = makeSink();
const socket = new WebSocket(
  `${secure ? 'wss' : 'ws'}://${options.origin}/notifications/v1/stream`,
  { headers: { Authorization: `Bearer ${token}` }, ca, perMessageDeflate: false },
);
socket.on('open', () => {
  const payload = { sequenceId: seen, resources: ['adherence'] };
  socket.send(JSON.stringify({ action: 'subscribe', resource: 'adherence', payload }));
});
socket.on('message', (data) => {
  const body = data.toString();
  const event = JSON.parse(body);
  if (event.type !== 'event') return;
  if (event.sequenceId <= seen) return; // a repetition
  seen = event.sequenceId;
  sink({ seq: seen, who: event.adherence.agentId, at: event.timestamp, body });
});
socket.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
