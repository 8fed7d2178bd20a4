/**
 * What the page holds: state by the record's one rule (docs/reference/record.md), the streams'
 * phases, the ledger. What changes is noted in `changed`, for the page to be painted.
 */

/** `name → stream`: its phase, and its rows by key. */
export const streams = new Map();

/** Rows of the ledger by stream and number. */
export const gaps = new Map();

/** Deletes of one stream that are remembered one by one. */
const GONE_MAX = 10_000;

/**
 * How far what is held is told by state alone. The store lags behind the log: a state from before
 * this offset knows nothing of deletes that are no longer remembered, and would undo them.
 */
const floor = { journal: undefined, offset: 0 };

/** Since when the service is not heard of; in milliseconds since 1970. */
export const contact = { lostAt: undefined };

export const changed = {
  rows: new Set(), gone: [], streams: new Set(), news: [], ledger: false, counts: false,
  /** Called at the first change. */
  soon: () => {},
};

function streamOf(name) {
  let stream = streams.get(name);
  if (!stream) {
    stream = {
      name, phase: 'unknown', since: undefined, lostAt: undefined, todo: undefined, told: {},
      rows: new Map(), gone: new Map(), bracket: undefined, liveConn: undefined,
      leftAt: undefined,
    };
    streams.set(name, stream);
    changed.streams.add(stream);
  }
  return stream;
}

/** Applies a record. `true`: the service knows more about it than the record says. */
export function applyRecord({ id, source, type, time, data }) {
  const stream = streamOf(decodeURIComponent(source.slice(1)));
  const { offset } = place(id);
  switch (type) {
    case 'unbroken.change':
      if (data.effect === 'state') applyChange(stream, data, offset, time);
      break;
    // What a snapshot says holds only once it is whole.
    case 'unbroken.snapshot_begin':
      stream.bracket = [];
      break;
    case 'unbroken.snapshot_item':
      stream.bracket?.push([data, offset, time]);
      break;
    case 'unbroken.snapshot_end':
      for (const [item, at, when] of stream.bracket ?? []) applyChange(stream, item, at, when);
      stream.bracket = undefined;
      return true;
    case 'unbroken.snapshot_abort':
      stream.bracket = undefined;
      break;
    case 'unbroken.forgotten':
      remove(stream, data.key, offset);
      break;
    case 'unbroken.connection':
      applyTurn(stream, data, Date.parse(time));
      return true;
    case 'unbroken.gap_opened':
    case 'unbroken.gap_closed':
      applyGap(stream, type, data, Date.parse(time));
      break;
    case 'unbroken.directive':
      tell(stream, Date.parse(time), 'doubt', `${words(data.act)}, by ${data.by}`, data.why);
      return true;
  }
  return false;
}

function applyChange(stream, { key, deleted, payload }, offset, time) {
  // An item of a snapshot loses against a later write of its key, also if that deleted it.
  if (writtenAt(stream, key) >= offset) return;
  if (deleted) remove(stream, key, offset);
  else put(stream, key, { offset, payload, time, stale: undefined });
}

/** The last write of a key that is known; of one that state has left out, it lies before that. */
function writtenAt({ rows, gone }, key) {
  return rows.get(key)?.offset ?? gone.get(key) ?? floor.offset - 1;
}

/** Deletes a key, and remembers it until no state from before can come. */
function remove(stream, key, offset) {
  drop(stream, key);
  stream.gone.delete(key);
  stream.gone.set(key, offset);
  if (stream.gone.size <= GONE_MAX) return;
  const [oldest, at] = stream.gone.entries().next().value;
  stream.gone.delete(oldest);
  floor.offset = Math.max(floor.offset, at + 1);
}

/**
 * State at one cursor, or newer: what is newer here stays. `whole`: nothing but it counts.
 * `false`: it comes from before what is held, and is worth asking again.
 */
export function applyState(rows, cursor, whole) {
  const { journal, offset: end } = place(cursor);
  // The events of the other journal begin with its whole state.
  if (!whole && journal !== (floor.journal ?? journal)) return true;
  if (!whole && end < floor.offset) return false;
  Object.assign(floor, { journal, offset: end });
  const named = new Set(rows.map((row) => `${row.stream}\n${row.key}`));
  for (const told of rows) {
    const { key, offset, payload, stale_since } = told;
    const stream = streamOf(told.stream);
    const known = stream.rows.get(key)?.offset ?? stream.gone.get(key) ?? -1;
    if (!whole && known > offset) continue;
    const stale = stale_since ? Date.parse(stale_since) : undefined;
    put(stream, key, { offset, payload, time: told.occurred_at ?? told.received_at, stale });
  }
  for (const stream of streams.values()) {
    for (const [key, row] of stream.rows) {
      const newer = !whole && row.offset >= end;
      if (!newer && !named.has(`${stream.name}\n${key}`)) drop(stream, key);
    }
    for (const [key, offset] of stream.gone) {
      if (whole || offset < end) stream.gone.delete(key);
    }
  }
  return true;
}

function applyTurn(stream, { conn, turn, by, why }, at) {
  if (turn === 'live') {
    const lost = stream.leftAt;
    const title = lost === undefined ? 'Live' : `Live after ${span(at - lost)}`;
    stream.liveConn = conn;
    stream.leftAt = undefined;
    setPhase(stream, 'live', at, undefined);
    tell(stream, at, 'good', title, why);
  } else if (turn === 'opened') {
    tell(stream, at, 'step', 'Connection opened', why);
  } else if ((stream.liveConn ?? conn) === conn || stream.phase !== 'live') {
    stream.leftAt ??= at;
    if (stream.phase === 'live') setPhase(stream, turn === 'doubted' ? 'doubted' : 'lost', at, at);
    const title = turn === 'doubted' ? 'In doubt' : `Connection closed by ${by}`;
    tell(stream, at, turn === 'doubted' ? 'doubt' : 'bad', title, why);
  } else {
    tell(stream, at, 'step', 'An older connection was closed', why);
  }
}

function applyGap(stream, type, data, at) {
  const text = (position) => (position ? `${position.epoch}:${position.sequence}` : null);
  const [after, through] = [text(data.after), text(data.through)];
  gaps.set(`${stream.name}#${data.gap}`, { ...data, stream: stream.name, after, through });
  const closed = type === 'unbroken.gap_closed';
  const tone = closed ? (data.outcome === 'repaired' ? 'good' : 'doubt') : 'doubt';
  const end = closed ? `closed: ${words(data.outcome)}` : 'opened';
  tell(stream, at, tone, `Gap ${data.gap} ${end}`, words(data.cause));
  changed.ledger = true;
  changed.soon();
}

/** A stream as `/v1/sources` tells of it. */
export function applySource(told, source) {
  const stream = streamOf(told.stream);
  const since = told.since / 1000;
  const doubted = told.doubted_since ? told.doubted_since / 1000 : since;
  const lostAt = told.phase === 'live' ? undefined : (stream.lostAt ?? doubted);
  stream.told = told;
  stream.todo = told.todo ?? source.todo ?? source.stopped ?? told.alarm ?? undefined;
  setPhase(stream, told.phase, since, lostAt);
}

/** The whole ledger. */
export function applyLedger(rows) {
  gaps.clear();
  for (const gap of rows) gaps.set(`${gap.stream}#${gap.gap}`, gap);
  changed.ledger = true;
  changed.soon();
}

/** The service is there, or is not since then: all that is shown looks different. */
export function applyContact(lostAt) {
  contact.lostAt = lostAt;
  for (const stream of streams.values()) {
    changed.streams.add(stream);
    for (const row of stream.rows.values()) changed.rows.add(row);
  }
  changed.soon();
}

function setPhase(stream, phase, since, lostAt) {
  const turned = (stream.lostAt === undefined) !== (lostAt === undefined);
  Object.assign(stream, { phase, since, lostAt });
  changed.streams.add(stream);
  if (turned) for (const row of stream.rows.values()) changed.rows.add(row);
  changed.soon();
}

function put(stream, key, values) {
  const row = stream.rows.get(key) ?? { stream, key };
  stream.gone.delete(key);
  Object.assign(row, values, describe(values.payload, values.time));
  if (!stream.rows.has(key)) {
    stream.rows.set(key, row);
    changed.counts = true;
  }
  changed.rows.add(row);
  changed.soon();
}

function drop(stream, key) {
  const row = stream.rows.get(key);
  if (!row) return;
  stream.rows.delete(key);
  row.gone = true;
  changed.gone.push(row);
  changed.counts = true;
  changed.soon();
}

/** The members that the view `adherence_now` of the store knows. */
function describe(payload, time) {
  const p = payload?.adherence ?? payload ?? {};
  const text = (value) => (typeof value === 'object' ? undefined : value);
  const first = (...values) => values.map(text).find((value) => value != null);
  const { state: now, agentState, agentStateName, adherenceState } = p;
  const state = first(now, agentState, agentStateName, adherenceState, p.activity, p.status);
  return {
    state: String(state ?? 'Unknown'),
    plan: first(p.scheduledActivity, p.scheduled),
    off: first(p.inAdherence, p.adherent) === false,
    since: Date.parse(first(p.since) ?? time),
  };
}

/** Since when this row may be old; `undefined`: it is current. */
export function staleAt(row) {
  const times = [contact.lostAt, row.stream.lostAt, row.stale].filter((at) => at !== undefined);
  return times.length > 0 ? Math.min(...times) : undefined;
}

function tell(stream, at, tone, title, detail) {
  changed.news.push({ stream, at, tone, title, detail });
  changed.soon();
}

/** What a cursor, or the id of an event, stands for. */
function place(text) {
  const at = text.lastIndexOf(':');
  return { journal: text.slice(0, at), offset: Number(text.slice(at + 1)) };
}

export const words = (text) => String(text).replaceAll('_', ' ');

/** A length of time, as short as it can be said. */
export function span(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10 && seconds % 1 > 0) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  const two = (value) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)}`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)}`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor(whole / 3600) % 24} h`;
}
