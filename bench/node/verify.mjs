// Prints `verified COUNT DISTINCT LAST_SEQUENCE` for what a contestant has stored.

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';

const [mode, file] = process.argv.slice(2);
let row;
if (mode === 'ndjson') {
  const known = new Set();
  row = { count: 0, last: 0 };
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const { sequenceId } = JSON.parse(line);
    row.count += 1;
    known.add(sequenceId);
    row.last = Math.max(row.last, sequenceId);
  }
  row.distinct_count = known.size;
} else {
  const db = new Database(file, { readonly: true });
  row = db
    .prepare('SELECT count(*) count, count(DISTINCT seq) distinct_count, max(seq) last FROM events')
    .get();
  const position = db.prepare('SELECT seq FROM position').get().seq;
  if (position !== row.last) throw new Error(`position ${position}, last event ${row.last}`);
}
console.log(`verified ${row.count} ${row.distinct_count} ${row.last}`);
