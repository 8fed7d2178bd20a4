// Whose shape: the forty lines that everybody writes first, in Node with `ws`. On close: wait two
// seconds, connect again with the same token, subscribe to the same agents. It asks for no position
// and fetches no baseline: it passes events on and holds no state. Nothing is kept over a restart:
// there is nothing to keep.
//
// What makes it honest: the token is had by client credentials and again once it is refused, pings
// are answered, a silent socket is dropped (the watchdog of ws' own README), a frame that cannot be
// read is logged and does not end the program.

import WebSocket from "ws";

const { VENDOR_STREAM_URL, VENDOR_TOKEN_URL, VENDOR_CLIENT_ID, VENDOR_CLIENT_SECRET } = process.env;
const agentIds = (process.env.VENDOR_AGENTS ?? "").split(",").filter(Boolean);

const RECONNECT_MS = 2_000;
// A ping comes with each heartbeat. Two may be late.
const SILENCE_MS = 2 * Number(process.env.VENDOR_HEARTBEAT_MS ?? 30_000) + 1_000;

let token;

function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function fetchToken() {
  const basic = Buffer.from(`${VENDOR_CLIENT_ID}:${VENDOR_CLIENT_SECRET}`).toString("base64");
  const response = await fetch(VENDOR_TOKEN_URL, {
    method: "POST",
    headers: { Authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  if (!response.ok) throw new Error(`token: ${response.status}`);
  return (await response.json()).access_token;
}

function handle(message) {
  switch (message.type) {
    case "subscribed":
      print({ live: true });
      break;
    case "event":
    case "removed":
      print({ event: message });
      break;
    case "error":
      console.error("vendor says", message.code);
      if (message.code === "unauthorized") token = undefined;
      break;
  }
}

async function connect() {
  try {
    token ??= await fetchToken();
  } catch (error) {
    console.error(error.message);
    setTimeout(connect, RECONNECT_MS);
    return;
  }
  const headers = { Authorization: `Bearer ${token}` };
  const socket = new WebSocket(VENDOR_STREAM_URL, { headers, handshakeTimeout: 10_000 });
  let watchdog;
  const heard = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => socket.terminate(), SILENCE_MS);
  };
  socket.on("ping", heard);
  socket.on("open", () => {
    heard();
    const payload = { resources: ["adherence"], agentIds };
    socket.send(JSON.stringify({ action: "subscribe", resource: "adherence", payload }));
  });
  socket.on("message", (data) => {
    heard();
    try {
      handle(JSON.parse(data));
    } catch (error) {
      console.error("frame ignored:", error.message);
    }
  });
  socket.on("error", (error) => {
    console.error(error.message);
    if (error.message === "Unexpected server response: 401") token = undefined;
  });
  socket.on("close", () => {
    clearTimeout(watchdog);
    print({ live: false });
    setTimeout(connect, RECONNECT_MS);
  });
}

connect();
