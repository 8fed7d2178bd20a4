// Unbroken itself as a client of `unbroken conformance`: a service that records, and its log read as
// any other program would read it. Nothing here recovers anything.
//
//     UNBROKEN=path/to/unbroken unbroken conformance -- node bench/clients/unbroken/client.mjs
//
// `unbroken run` writes the log, `unbroken events --follow` prints it; each record becomes the line
// that says the same. docs/reference/record.md has the rules by which state is kept.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { source } from "./config.mjs";

const env = process.env;
const unbroken = env.UNBROKEN ?? "unbroken";
const isGenesys = env.VENDOR === "genesys";
const config = join(env.CLIENT_DIR, "unbroken.toml");
const data = join(env.CLIENT_DIR, "data");

writeFileSync(config, `data_dir = "data"\n\n${source()}`);

// What is known of each stream: its state, its numberings' names, the connections that are live.
const streams = new Map();
// The last line said of each row of the ledger.
const rows = new Map();
// Of the last record that was said.
let cursor;
let isSaid = false;

function streamOf(name) {
  if (!streams.has(name)) {
    streams.set(name, { keys: new Map(), epochs: new Map(), live: new Set(), staged: new Map() });
  }
  return streams.get(name);
}

// What the vendor calls the subject of a stream's keys.
const kinds = { routing_status: "routing", conversations: "conversation" };

function kindOf(stream) {
  const name = stream.split("/")[1].replace(/-[0-9]+$/, "");
  return kinds[name] ?? name;
}

function keyOf(stream, key) {
  return isGenesys ? `${kindOf(stream)}/${key}` : key;
}

function say(stream, line) {
  if (isSaid) {
    process.stdout.write(`${JSON.stringify({ ...line, stream, cursor })}\n`);
  }
}

function sayState(stream, key, held) {
  const state = { key: keyOf(stream, key), value: held.value };
  say(stream, { state: held.isStale ? { ...state, stale: true } : state });
}

// The vendor's event object, put together again from what the log keeps of it.
function eventOf(record) {
  const { payload, key } = record;
  if (!isGenesys) {
    return {
      type: record.deleted ? "removed" : "event",
      epoch: streamOf(record.stream).epochs.get(record.position.epoch),
      sequenceId: record.position.sequence,
      resource: "adherence",
      timestamp: record.occurred_at,
      adherence: payload ?? { agentId: key },
    };
  }
  const topic = {
    adherence: `v2.users.${key}.workforcemanagement.adherence`,
    presence: `v2.users.${key}.presence`,
    routing: `v2.users.${key}.routingStatus`,
    activity: `v2.users.${key}.activity`,
    conversation: "v2.users.somebody.conversations",
  }[kindOf(record.stream)];
  const gone = { user: { id: key }, removedFromManagementUnit: true };
  return { topicName: topic, eventBody: payload ?? gone };
}

function handleState(record) {
  const held = { value: record.deleted ? null : record.payload, isStale: false };
  streamOf(record.stream).keys.set(record.key, held);
  sayState(record.stream, record.key, held);
}

function handleSnapshotEnd(record) {
  const stream = streamOf(record.stream);
  const { items, isOfAll } = stream.staged.get(record.snapshot) ?? { items: [] };
  stream.staged.delete(record.snapshot);
  for (const item of items.filter((item) => !item.isOvertaken)) {
    handleState(item.record);
  }
  if (isOfAll && record.rows_are_state) {
    for (const [key, held] of stream.keys) {
      if (held.isStale) {
        held.isStale = false;
        sayState(record.stream, key, held);
      }
    }
  }
}

function placeOf(stream, place) {
  return place && { epoch: streamOf(stream).epochs.get(place.epoch), sequenceId: place.sequence };
}

function handleGap(record) {
  const { stream } = record;
  const id = `${stream}#${record.gap}`;
  const gap = {
    id,
    outcome: record.outcome ?? "open",
    from: Date.parse(record.from),
    to: record.to === undefined ? null : Date.parse(record.to),
    after: placeOf(stream, record.after),
    through: placeOf(stream, record.through),
    cause: record.cause,
  };
  rows.set(id, { stream, gap });
  say(stream, { gap });
  // Without a snapshot, whatever was written before may be old.
  if (record.reconciled === false && record.outcome !== "summarised") {
    for (const [key, held] of streamOf(stream).keys) {
      held.isStale = true;
      sayState(stream, key, held);
    }
  }
}

function handleConnection(record) {
  const { live } = streamOf(record.stream);
  const wasLive = live.size > 0;
  if (record.turn === "live") {
    live.add(record.conn);
  } else if (record.turn !== "opened") {
    live.delete(record.conn);
  }
  if (live.size > 0 !== wasLive) {
    say(record.stream, { live: live.size > 0 });
  }
}

function handle(record) {
  cursor = record.cursor;
  const stream = streamOf(record.stream);
  switch (record.record) {
    case "change":
      if (record.origin === "live" || record.origin === "replay") {
        say(record.stream, { event: eventOf(record) });
      }
      if (record.effect === "state") {
        for (const { items } of stream.staged.values()) {
          for (const item of items.filter((item) => item.record.key === record.key)) {
            item.isOvertaken = true;
          }
        }
        handleState(record);
      }
      break;
    case "snapshot_begin":
      stream.staged.set(record.snapshot, { items: [], isOfAll: record.keys === undefined });
      break;
    case "snapshot_item":
      stream.staged.get(record.snapshot)?.items.push({ record, isOvertaken: false });
      break;
    case "snapshot_end":
      handleSnapshotEnd(record);
      break;
    case "snapshot_abort":
      stream.staged.delete(record.snapshot);
      break;
    case "gap_opened":
    case "gap_closed":
      handleGap(record);
      break;
    case "epoch_changed":
      stream.epochs.set(record.epoch, record.name);
      break;
    case "connection":
      handleConnection(record);
      break;
    case "forgotten":
      stream.keys.delete(record.key);
      break;
  }
}

// What an earlier process has left: what it said is not said again, but for what anybody may be told
// twice, state and rows; what it had no time to say is said now. Nothing of it is live.
function takeUp() {
  const said = Number(env.CLIENT_CURSOR?.split(":")[1] ?? 0);
  const past = spawnSync(unbroken, ["events", "--journal", data], { maxBuffer: 1 << 30 });
  const records = past.stdout.toString().split("\n").filter(Boolean).map(JSON.parse);
  for (const record of records) {
    if (record.offset >= said && !isSaid) {
      sayAll();
    }
    handle(record);
  }
  if (!isSaid) {
    sayAll();
  }
  for (const [name, { live }] of streams) {
    live.clear();
    say(name, { live: false });
  }
}

function sayAll() {
  isSaid = true;
  for (const [name, { keys }] of streams) {
    for (const [key, held] of keys) {
      sayState(name, key, held);
    }
  }
  for (const { stream, gap } of rows.values()) {
    say(stream, { gap });
  }
}

if (existsSync(join(data, "journal"))) {
  takeUp();
}
isSaid = true;

const service = spawn(unbroken, ["run", "--config", config, "--log", "json"], {
  stdio: ["ignore", "ignore", "inherit"],
});
service.on("exit", (code) => process.exit(code ?? 1));
const after = cursor ? ["--after", cursor] : [];
const log = spawn(unbroken, ["events", "--journal", data, "--follow", ...after], {
  stdio: ["ignore", "pipe", "inherit"],
});
log.on("exit", (code) => process.exit(code ?? 1));
createInterface({ input: log.stdout }).on("line", (line) => handle(JSON.parse(line)));
