// How Unbroken is told of the suite's vendor: its `[[source]]`, called `vendor`.

const env = process.env;
const isGenesys = env.VENDOR === "genesys";

const ALL = ["adherence", "presence", "routing_status", "activity", "conversations"];

// Genesys documents its times with heartbeats each 30 s; here they are that much shorter.
const scale = 30_000 / Number(env.VENDOR_HEARTBEAT_MS);
const origin = env.VENDOR_API_URL;
const sockets = origin.replace(/^http/, "ws");

const cxone = `
[source.limits]
frame_bytes_max = 1048576

[source.profile]
extends = "cxone"
[source.profile.capabilities]
ack = "plain"
snapshot_staleness_ms_max = 500
clock_skew_ms_max = 0
`;

const genesys = (topics) => `
agents = ${JSON.stringify(env.VENDOR_AGENTS.split(","))}

[source.profile]
extends = "genesys"
[source.profile.capabilities]
snapshot_staleness_ms_max = 500
clock_skew_ms_max = 0

[source.genesys]
topics = ${JSON.stringify(topics)}
management_units = ${JSON.stringify(env.VENDOR_UNITS?.split(","))}
channel_life_ms = ${Math.round(86_400_000 / scale)}
history_lag_ms = ${Math.round(60_000 / scale)}
history_again_ms = 100
evictions_window_ms = ${Math.round(600_000 / scale)}
conversation_length_max_ms = ${Math.round(86_400_000 / scale)}

[source.budget]
requests_per_minute = ${Math.round(180 * scale)}
`;

const DEFAULTS = {
  topics: ALL,
  timing: '"demo"',
  secret: '{ env = "VENDOR_CLIENT_SECRET" }',
};

// The text for a configuration file. Genesys: which of each agent's `topics` are followed; `secret`:
// where the client's secret is read.
export function source(other = {}) {
  const { topics, timing, secret } = { ...DEFAULTS, ...other };
  return `[[source]]
name = "vendor"
api = "${origin}"
stream = "${sockets}"
timing = ${timing}
${isGenesys ? genesys(topics) : cxone}
[source.auth]
grant = "client_credentials"
url = "${env.VENDOR_TOKEN_URL}"
client_id = "${env.VENDOR_CLIENT_ID}"
client_secret = ${secret}
`;
}
