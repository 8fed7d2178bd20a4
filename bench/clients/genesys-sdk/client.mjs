// Whose shape: the vendor's guide to its Notifications, with npm `purecloud-platform-client-v2` and
// `ws`: log in by client credentials, create a channel, put the topics, open its `connectUri`, ignore
// `channel.metadata`. Then what the forum adds: on close connect again to the same channel, which
// keeps its topics; if that fails, begin anew with another channel; move when `socket_closing` says
// so; read everybody's adherence by REST after each connect, because nothing is sent again.
//
// Nothing is kept over a restart: the vendor gives nothing to go on from.
//
// What makes it honest: a new login with each new channel; the waits grow and are spread; a silent
// socket is dropped; users are asked for a hundred at a time; a message that cannot be read is logged.

import platformClient from "purecloud-platform-client-v2";
import WebSocket from "ws";

const { VENDOR_API_URL, VENDOR_CLIENT_ID, VENDOR_CLIENT_SECRET } = process.env;
const users = process.env.VENDOR_AGENTS.split(",");

// Waits: 1 s, doubling. Thirty seconds are more usual at the end; the scenarios are short.
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 5_000;
const USERS_MAX = 100;
// A heartbeat may be late.
const SILENCE_MS = 2 * Number(process.env.VENDOR_HEARTBEAT_MS ?? 30_000) + 1_000;
const ADHERENCE = /^v2\.users\.(.+)\.workforcemanagement\.adherence$/;

const client = platformClient.ApiClient.instance;
const gateway = new URL(VENDOR_API_URL);
client.setGateway({
  host: gateway.hostname,
  port: gateway.port ? Number(gateway.port) : undefined,
  protocol: gateway.protocol.replace(":", ""),
});
const notifications = new platformClient.NotificationsApi();
const workforce = new platformClient.WorkforceManagementApi();

const states = new Map();
let channel;
let failures = 0;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function keep(key, value) {
  states.set(key, value);
  print({ state: { key, value } });
}

async function createChannel() {
  await client.loginClientCredentialsGrant(VENDOR_CLIENT_ID, VENDOR_CLIENT_SECRET);
  const created = await notifications.postNotificationsChannels();
  const topics = users.map((user) => ({ id: `v2.users.${user}.workforcemanagement.adherence` }));
  await notifications.putNotificationsChannelSubscriptions(created.id, topics);
  return created;
}

async function loadStates() {
  for (let at = 0; at < users.length; at += USERS_MAX) {
    const some = users.slice(at, at + USERS_MAX);
    for (const row of await workforce.getWorkforcemanagementAdherence(some)) {
      keep(row.user.id, row);
    }
  }
}

// Resolves when the connection is over.
function listen() {
  return new Promise((over, failed) => {
    const socket = new WebSocket(channel.connectUri, { handshakeTimeout: 10_000 });
    let watchdog;
    const heard = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => socket.terminate(), SILENCE_MS);
    };
    const handle = (notification) => {
      const { topicName, eventBody } = notification;
      const user = ADHERENCE.exec(topicName)?.[1];
      if (user) {
        print({ event: notification });
        keep(user, eventBody);
      } else if (topicName === "v2.system.socket_closing") {
        socket.close();
      } else if (topicName !== "channel.metadata") {
        console.error("unknown notification", topicName);
      }
    };
    socket.on("open", () => {
      heard();
      failures = 0;
      loadStates()
        .then(() => print({ live: true }))
        .catch((error) => {
          console.error("states:", error.message ?? error);
          channel = undefined;
          socket.close();
        });
    });
    socket.on("message", (data) => {
      heard();
      try {
        handle(JSON.parse(data));
      } catch (error) {
        console.error("message ignored:", error.message);
      }
    });
    socket.on("error", failed);
    socket.on("close", (code) => {
      clearTimeout(watchdog);
      console.error("closed", code);
      print({ live: false });
      over();
    });
  });
}

for (;;) {
  const isOld = channel !== undefined;
  try {
    channel ??= await createChannel();
    await listen();
  } catch (error) {
    console.error(error.message ?? error);
    channel = undefined;
    // The old channel is gone: another one, without a wait.
    if (isOld) continue;
  }
  await sleep(Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** failures++) * (0.5 + Math.random() / 2));
}
