// Any client of `unbroken conformance`, unmodified, with Unbroken between it and the vendor:
//
//     vendor ← Unbroken with its relay's dialect ← the client
//
//     UNBROKEN=path/to/unbroken unbroken conformance -- \
//       node bench/clients/relay/through.mjs node bench/clients/node-reconnect/client.mjs
//
// The client is told other URLs and other credentials, and nothing else. What it prints is passed on
// with two changes, without which the suite could not compare it with the vendor's ledger:
//
// * an event carries the relay's number; the vendor's own, which stands beside it (`unbroken`), is
//   put in its place. An event that tells what is current, and is none of the vendor's, is a state;
// * whether values are current, and what is missing for good, a client of this kind cannot know.
//   Unbroken does: its ledger is read from its own API, and `live` is said when both say so.
//
// Unbroken waits for the client before it asks the vendor for its first token, so that what either
// of them has to know begins with the same event. It runs on when the client is killed, as a service
// would, and ends with the scenario. What the client prints goes into a file first: killed between
// two lines of ours, we go on behind the last one that was read. What it had printed beyond that is
// said then, so that the client itself begins behind the last line that it printed.

import { randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { source } from "../unbroken/config.mjs";

const env = process.env;
const unbroken = env.UNBROKEN ?? "unbroken";
const isGenesys = env.VENDOR === "genesys";
const config = join(env.CLIENT_DIR, "unbroken.toml");
const data = join(env.CLIENT_DIR, "data");
const addressFile = join(data, "relay.addr");
const tokenFile = join(data, "relay.token");
const pidFile = join(env.CLIENT_DIR, "unbroken.pid");
const secretFile = join(env.CLIENT_DIR, "secret");
const readyFile = join(env.CLIENT_DIR, "ready");
const outFile = join(env.CLIENT_DIR, "stdout");

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

// Runs the service in a session of its own, and ends it when whoever plays the suite has gone.
async function guard(player) {
  const log = openSync(join(env.CLIENT_DIR, "unbroken.log"), "a");
  const service = spawn(unbroken, ["run", "--config", config, "--log", "json"], {
    stdio: ["ignore", "ignore", log],
  });
  closeSync(log);
  writeFileSync(pidFile, String(service.pid));
  const stop = () => service.kill("SIGTERM");
  process.on("SIGTERM", stop);
  service.on("exit", (code) => process.exit(code ?? 1));
  while (isAlive(player)) {
    await sleep(200);
  }
  stop();
}

function startService() {
  writeFileSync(secretFile, randomBytes(16).toString("hex"), { mode: 0o600 });
  const dialect = isGenesys ? "genesys" : "cxone";
  const wait = `while [ ! -e '${readyFile}' ]; do sleep 0.02; done; echo "$VENDOR_CLIENT_SECRET"`;
  // The command takes its time on a busy machine, and counts as a part of the request.
  const timing = '{ preset = "demo", token_ms = 30000 }';
  const secret = `{ command = ["sh", "-c", ${JSON.stringify(wait)}] }`;
  writeFileSync(
    config,
    `data_dir = "data"

${source({ topics: ["adherence"], timing, secret })}
[relay]
listen = "127.0.0.1:0"
heartbeat_ms = ${env.VENDOR_HEARTBEAT_MS}

[relay.dialect.${dialect}]
source = "vendor"
clients = [{ id = "naive", secret = { file = "secret" } }]
`,
  );
  const guarding = spawn(process.execPath, [process.argv[1], "--guard", String(process.ppid)], {
    detached: true,
    stdio: ["ignore", "ignore", "inherit"],
  });
  guarding.unref();
}

async function address() {
  while (!existsSync(addressFile) || !existsSync(tokenFile)) {
    await sleep(20);
  }
  return readFileSync(addressFile, "utf8").trim();
}

function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

// --- What Unbroken says itself -------------------------------------------------------------------

const epochs = new Map();
const upstream = new Map();
let isClientLive = false;
let isSaidLive;

function sayLive() {
  const isUpstreamLive = upstream.size > 0 && [...upstream.values()].every((conns) => conns.size > 0);
  const isLive = isClientLive && isUpstreamLive;
  if (isLive !== isSaidLive) {
    isSaidLive = isLive;
    print({ live: isLive });
  }
}

function placeOf(stream, place) {
  return place && { epoch: epochs.get(`${stream}#${place.epoch}`), sequenceId: place.sequence };
}

function handleRecord({ source, type, data }) {
  const stream = source.slice(1);
  switch (type) {
    case "unbroken.epoch_changed":
      epochs.set(`${stream}#${data.epoch}`, data.name);
      break;
    case "unbroken.gap_opened":
    case "unbroken.gap_closed":
      print({
        gap: {
          id: `${stream}#${data.gap}`,
          outcome: data.outcome ?? "open",
          from: Date.parse(data.from),
          to: data.to === undefined ? null : Date.parse(data.to),
          after: placeOf(stream, data.after),
          through: placeOf(stream, data.through),
          cause: data.cause,
        },
      });
      break;
    case "unbroken.connection": {
      const conns = upstream.get(stream) ?? new Set();
      upstream.set(stream, conns);
      if (data.turn === "live") {
        conns.add(data.conn);
      } else if (data.turn !== "opened") {
        conns.delete(data.conn);
      }
      sayLive();
      break;
    }
  }
}

async function followLedger(origin) {
  const kinds = ["epoch_changed", "gap_opened", "gap_closed", "connection"];
  const query = kinds.map((kind) => `kind=${kind}`).join("&");
  const headers = { Authorization: `Bearer ${readFileSync(tokenFile, "utf8").trim()}` };
  const response = await fetch(`${origin}/v1/events/stream?${query}`, { headers });
  if (!response.ok) throw new Error(`ledger: ${response.status}`);
  let rest = "";
  for await (const bytes of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + bytes).split("\n");
    rest = lines.pop();
    for (const line of lines.filter((line) => line.startsWith("data:"))) {
      const record = JSON.parse(line.slice(5));
      if (record.type !== undefined) handleRecord(record);
    }
  }
}

// --- What the client says ------------------------------------------------------------------------

// The vendor's own event, in the words of the suite; undefined: it is none.
async function eventOf(event) {
  if (isGenesys) {
    return event.metadata?.unbroken?.origin === "state" ? undefined : event;
  }
  const { unbroken: from, ...rest } = event;
  if (from.origin === "state") return undefined;
  const { epoch, sequence } = from.position;
  const name = `vendor/adherence#${epoch}`;
  // The two ways by which we hear of a record are not equally long.
  while (!epochs.has(name)) await sleep(1);
  return { ...rest, epoch: epochs.get(name), sequenceId: sequence };
}

// The client's own, of its last line that had one.
let clientCursor;

async function handleLine(line, at) {
  clientCursor = line.cursor ?? clientCursor;
  const cursor = JSON.stringify({ at, cursor: clientCursor });
  if (line.live !== undefined) {
    isClientLive = line.live;
    if (isClientLive) writeFileSync(readyFile, "");
    sayLive();
  } else if (line.event !== undefined) {
    const event = await eventOf(line.event);
    if (event !== undefined) print({ ...line, event, cursor });
  } else {
    print({ ...line, cursor });
  }
}

// Follows what the client writes, from a byte on.
async function followClient(from) {
  const file = openSync(outFile, "r");
  const buffer = Buffer.alloc(65_536);
  let [at, rest] = [from, Buffer.alloc(0)];
  for (;;) {
    const count = readSync(file, buffer, 0, buffer.length, at + rest.length);
    if (count === 0) {
      await sleep(2);
      continue;
    }
    rest = Buffer.concat([rest, buffer.subarray(0, count)]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const text = rest.subarray(0, end).toString();
      [at, rest] = [at + end + 1, rest.subarray(end + 1)];
      const line = parsed(text);
      if (line !== undefined) await handleLine(line, at);
    }
  }
}

// A client that was killed in the middle of a line has not said it.
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// The client's own of the last whole line that it has printed.
function lastCursor({ at, cursor }) {
  if (!existsSync(outFile)) return cursor;
  const lines = readFileSync(outFile).subarray(at).toString().split("\n").map(parsed);
  return lines.findLast((line) => line?.cursor !== undefined)?.cursor ?? cursor;
}

let isStopping = false;

async function stop(code) {
  isStopping = true;
  const pid = Number(readFileSync(pidFile, "utf8"));
  if (isAlive(pid)) process.kill(pid, "SIGTERM");
  while (isAlive(pid)) {
    await sleep(20);
  }
  process.exit(code);
}

async function main(command) {
  const isRunning = existsSync(pidFile) && isAlive(Number(readFileSync(pidFile, "utf8")));
  if (!isRunning) startService();
  const origin = `http://${await address()}`;
  const ledger = followLedger(origin).catch((error) => {
    if (!isStopping) throw error;
  });
  const said = env.CLIENT_CURSOR ? JSON.parse(env.CLIENT_CURSOR) : { at: 0 };
  // Ends the line in the middle of which the last client was killed.
  if (existsSync(outFile)) appendFileSync(outFile, "\n");
  const cursor = lastCursor(said);
  const out = openSync(outFile, "a");
  const [program, ...rest] = command;
  const { CLIENT_CURSOR: _, ...surroundings } = env;
  const client = spawn(program, rest, {
    stdio: ["ignore", out, "inherit"],
    env: {
      ...surroundings,
      ...(cursor === undefined ? {} : { CLIENT_CURSOR: cursor }),
      VENDOR_API_URL: origin,
      VENDOR_STREAM_URL: `${origin.replace(/^http/, "ws")}/notifications/v1/stream`,
      VENDOR_TOKEN_URL: `${origin}${isGenesys ? "/oauth/token" : "/token"}`,
      VENDOR_CLIENT_ID: "naive",
      VENDOR_CLIENT_SECRET: readFileSync(secretFile, "utf8").trim(),
    },
  });
  closeSync(out);
  clientCursor = said.cursor;
  const lines = followClient(said.at);
  client.on("exit", (code) => stop(code ?? 0));
  process.on("SIGTERM", () => {
    isStopping = true;
    client.kill("SIGTERM");
  });
  await Promise.all([ledger, lines]);
}

const [first, second] = process.argv.slice(2);
if (first === "--guard") {
  await guard(Number(second));
} else {
  await main(process.argv.slice(2));
}
