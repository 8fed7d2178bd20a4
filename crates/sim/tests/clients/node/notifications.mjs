// The vendor's own JavaScript SDK and a plain WebSocket, used as their documentation says, against
// the simulator: what they understood is printed as one JSON object.
//
// The order, as JSON in the environment: host, port, clientId, clientSecret, unit, users, interval.

import platformClient from "purecloud-platform-client-v2";
import WebSocket from "ws";

const order = JSON.parse(process.env.ORDER);
const EVENTS = 40;

const client = platformClient.ApiClient.instance;
client.setGateway({ host: order.host, protocol: "https", port: order.port });
await client.loginClientCredentialsGrant(order.clientId, order.clientSecret);

const notifications = new platformClient.NotificationsApi();
const workforce = new platformClient.WorkforceManagementApi();
const analytics = new platformClient.AnalyticsApi();

const channel = await notifications.postNotificationsChannels();
const topics = [
  `v2.workforcemanagement.managementunits.${order.unit}.adherence`,
  ...order.users.flatMap((user) => [
    `v2.users.${user}.presence`,
    `v2.users.${user}.routingStatus`,
    `v2.users.${user}.conversations`,
  ]),
  "v2.users.nobody.presence",
];
const wishes = topics.map((id) => ({ id }));
const put = await notifications.putNotificationsChannelSubscriptions(channel.id, wishes, {
  ignoreErrors: true,
});
const had = await notifications.getNotificationsChannelSubscriptions(channel.id);
await notifications.headNotificationsChannel(channel.id);
const channels = await notifications.getNotificationsChannels();
let gone = 0;
// A refusal without a body shows its status only so.
client.setReturnExtendedResponses(true);
try {
  await notifications.headNotificationsChannel("nothing");
} catch (error) {
  gone = error.status;
}
client.setReturnExtendedResponses(false);
let refused;
try {
  await notifications.putNotificationsChannelSubscriptions(channel.id, wishes);
} catch (error) {
  refused = { status: error.status, code: error.code };
}

const heard = await listen(channel.connectUri);
async function listen(uri) {
  const events = [];
  let heartbeats = 0;
  let pongs = 0;
  const socket = new WebSocket(uri);
  await new Promise((done, failed) => {
    socket.on("open", () => socket.send(JSON.stringify({ message: "ping" })));
    socket.on("error", failed);
    socket.on("close", () => failed(new Error("closed")));
    socket.on("message", (data) => {
      const message = JSON.parse(data);
      if (message.topicName === "channel.metadata") {
        if (message.eventBody.message === "pong") pongs += 1;
        if (message.eventBody.message === "WebSocket Heartbeat") heartbeats += 1;
      } else {
        events.push(message);
      }
      const kinds = new Set(events.map((event) => event.topicName.split(".").at(-1)));
      if (events.length >= EVENTS && heartbeats > 0 && pongs > 0 && kinds.size === 4) done();
    });
  });
  socket.removeAllListeners("close");
  socket.close();
  return { events, heartbeats, pongs };
}

const rows = await workforce.getWorkforcemanagementAdherence(order.users);
const listing = await workforce.getWorkforcemanagementManagementunitAdherence(order.unit);
const large = await workforce.getWorkforcemanagementManagementunitAdherence(order.unit, {
  forceDownloadService: true,
});

const conversations = [];
let totalHits = 0;
for (let pageNumber = 1; ; pageNumber += 1) {
  const page = await analytics.postAnalyticsConversationsDetailsQuery({
    interval: order.interval,
    order: "asc",
    orderBy: "conversationStart",
    paging: { pageSize: 100, pageNumber },
  });
  totalHits = page.totalHits;
  if (!page.conversations) break;
  conversations.push(...page.conversations);
}

const item = {
  managementUnitId: order.unit,
  startDate: "2020-01-01T00:00:00.000Z",
  endDate: "2100-01-01T00:00:00.000Z",
  includeActuals: true,
};
let job = await workforce.postWorkforcemanagementAdherenceHistoricalBulk({
  items: [item],
  timeZone: "UTC",
});
const jobStates = [job.job.status];
while (job.job.status === "Processing") {
  job = await workforce.getWorkforcemanagementAdherenceHistoricalBulkJob(job.job.id);
  jobStates.push(job.job.status);
}

await notifications.deleteNotificationsChannelSubscriptions(channel.id);
const left = await notifications.getNotificationsChannelSubscriptions(channel.id);

const told = {
  channel,
  channels: channels.entities.map((one) => one.id),
  topics,
  states: put.entities.map((topic) => topic.state),
  had: had.entities.map((topic) => topic.id),
  gone,
  refused,
  heard,
  rows,
  listing: listing.entities.length,
  downloadUrl: large.downloadUrl,
  conversations: conversations.map((one) => one.conversationId),
  totalHits,
  jobStates,
  downloads: job.downloadUrls.length,
  left: left.entities.length,
};
process.stdout.write(`${JSON.stringify(told)}\n`, () => process.exit(0));
