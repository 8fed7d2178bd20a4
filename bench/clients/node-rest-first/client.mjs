// Whose shape: who has read the forum. Node with `ws`; on every connect it fetches the baseline by
// REST first, then subscribes with the baseline's `sequenceId`, so that nothing can fall between the
// two. State is the baseline, then the events after it; an event at or below the position is a
// repetition and is dropped.
//
// Nothing is kept over a restart: the baseline gives the position, so nobody who writes this sees a
// need to. What happened before the baseline was made is in the state, and that is what its author
// looks at.
//
// What makes it honest: all pages, the position of the first one; one token until it is refused,
// then a new one; the waits grow and are spread, `Retry-After` is obeyed; pings are answered, a silent
// socket is dropped; a refused `sequenceId` starts over with a new baseline.

import WebSocket from "ws";

const { VENDOR_API_URL, VENDOR_STREAM_URL, VENDOR_TOKEN_URL } = process.env;
const { VENDOR_CLIENT_ID, VENDOR_CLIENT_SECRET } = process.env;

const PAGE_ROWS = 500;
const REQUEST_MS = 10_000;
// Waits: 0.5 s, doubling. Thirty seconds are more usual at the end; the scenarios are short.
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 5_000;
// A ping comes with each heartbeat. Two may be late.
const SILENCE_MS = 2 * Number(process.env.VENDOR_HEARTBEAT_MS ?? 30_000) + 1_000;

const states = new Map();
let token;
let failures = 0;

class Refused extends Error {
  constructor(what, response) {
    super(`${what}: ${response.status}`);
    this.status = response.status;
    this.retryMs = 1_000 * Number(response.headers.get("retry-after") ?? 0);
  }
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function keep(key, value) {
  if (value === null) states.delete(key);
  else states.set(key, value);
  print({ state: { key, value } });
}

async function fetchToken() {
  const basic = Buffer.from(`${VENDOR_CLIENT_ID}:${VENDOR_CLIENT_SECRET}`).toString("base64");
  const response = await fetch(VENDOR_TOKEN_URL, {
    method: "POST",
    headers: { Authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
    signal: AbortSignal.timeout(REQUEST_MS),
  });
  if (!response.ok) throw new Refused("token", response);
  return (await response.json()).access_token;
}

async function fetchBaseline() {
  const rows = [];
  let sequenceId;
  for (;;) {
    const query = new URLSearchParams({ limit: PAGE_ROWS, offset: rows.length });
    const response = await fetch(`${VENDOR_API_URL}/api/v2/wfm/schedules?${query}`, {
      headers: { Authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    if (!response.ok) throw new Refused("baseline", response);
    const page = await response.json();
    sequenceId ??= page.sequenceId;
    rows.push(...page.schedules);
    if (page.schedules.length === 0 || rows.length >= page.total) return { sequenceId, rows };
  }
}

function install(rows) {
  const current = rows.filter((row) => row.adherence);
  // A baseline of schedules alone says nothing of states.
  if (current.length === 0) return;
  const present = new Set(current.map((row) => row.agentId));
  for (const key of [...states.keys()]) if (!present.has(key)) keep(key, null);
  for (const row of current) keep(row.agentId, row.adherence);
}

// Resolves when the connection is over.
function follow(sequenceId) {
  return new Promise((over, failed) => {
    let position = sequenceId;
    let watchdog;
    const headers = { Authorization: `Bearer ${token}` };
    const socket = new WebSocket(VENDOR_STREAM_URL, { headers, handshakeTimeout: REQUEST_MS });
    const heard = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => socket.terminate(), SILENCE_MS);
    };
    const handle = (message) => {
      switch (message.type) {
        case "subscribed":
          failures = 0;
          print({ live: true });
          break;
        case "event":
        case "removed":
          if (message.sequenceId <= position) return;
          position = message.sequenceId;
          print({ event: message });
          keep(message.adherence.agentId, message.type === "event" ? message.adherence : null);
          break;
        case "closing":
          console.error("vendor will close");
          break;
        case "error":
          console.error("vendor says", message.code);
          if (message.code === "unauthorized") token = undefined;
          socket.close();
          break;
      }
    };
    socket.on("ping", heard);
    socket.on("open", () => {
      heard();
      const payload = { sequenceId, resources: ["adherence"] };
      socket.send(JSON.stringify({ action: "subscribe", payload }));
    });
    socket.on("message", (data) => {
      heard();
      try {
        handle(JSON.parse(data));
      } catch (error) {
        console.error("frame ignored:", error.message);
      }
    });
    socket.on("unexpected-response", (request, response) => {
      request.destroy();
      const get = (name) => response.headers[name];
      failed(new Refused("handshake", { status: response.statusCode, headers: { get } }));
    });
    socket.on("error", failed);
    socket.on("close", () => {
      clearTimeout(watchdog);
      print({ live: false });
      over();
    });
  });
}

for (;;) {
  let retryMs = 0;
  try {
    token ??= await fetchToken();
    const { sequenceId, rows } = await fetchBaseline();
    install(rows);
    await follow(sequenceId);
  } catch (error) {
    console.error(error.message);
    if (error.status === 401 || error.status === 403) token = undefined;
    retryMs = error.retryMs ?? 0;
  }
  const growing = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** failures++);
  await sleep(Math.max(retryMs, growing * (0.5 + Math.random() / 2)));
}
