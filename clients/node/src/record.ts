/**
 * What the relay sends. Every member is described in `docs/reference/record.md`; a kind that this
 * version does not know has `data` of unknown members.
 */

/** The vendor's place in its stream. Positions of two epochs are never compared. */
export interface Position {
  epoch: number;
  sequence: number;
  bookmark?: string;
}

/** `data` of `unbroken.change`: an event of the vendor's. */
export interface Change<Payload = unknown> {
  key: string;
  position: Position;
  ordinal: number;
  event_id: string | null;
  kind: string | null;
  deleted: boolean;
  origin: string;
  /** `state`: the value of the key from now on. `history`: a fact about the past; state keeps. */
  effect: 'state' | 'history';
  occurred_at: string | null;
  payload: Payload;
}

/** `data` of `unbroken.connection`. */
export interface ConnectionTurn {
  conn: number;
  turn: 'opened' | 'live' | 'doubted' | 'closed';
  by: string;
  why: string;
}

/** `data` of `unbroken.gap_opened`. */
export interface GapOpened {
  gap: number;
  cause: string;
  after: Position | null;
  from: string;
}

/** `data` of `unbroken.gap_closed`. The last one of a `gap` counts. */
export interface GapClosed extends GapOpened {
  outcome: 'repaired' | 'unrecoverable' | 'unproven' | 'drift' | 'summarised';
  through: Position | null;
  to: string;
  closed_by: unknown;
  reconciled: boolean;
}

interface DataOf<Payload> {
  'unbroken.change': Change<Payload>;
  'unbroken.snapshot_item': Change<Payload> & { snapshot: number };
  'unbroken.connection': ConnectionTurn;
  'unbroken.gap_opened': GapOpened;
  'unbroken.gap_closed': GapClosed;
  'unbroken.forgotten': { key: string };
  'unbroken.snapshot_begin': Record<string, unknown>;
  'unbroken.snapshot_end': Record<string, unknown>;
  'unbroken.snapshot_abort': Record<string, unknown>;
  'unbroken.epoch_changed': { epoch: number; name: string | null };
  'unbroken.progress': Record<string, unknown>;
  'unbroken.quarantined': Record<string, unknown>;
  'unbroken.directive': Record<string, unknown>;
  'unbroken.history_owed': Record<string, unknown>;
  'unbroken.history_forgone': Record<string, unknown>;
}

/** The kinds of records, without `unbroken.`: what `kinds` in a filter takes. */
export type Kind = NameOf<keyof DataOf<unknown>>;

type NameOf<Type> = Type extends `unbroken.${infer Name}` ? Name : never;

/** A record of one type, as a CloudEvent 1.0. */
export interface EventOf<Type extends string, Data> {
  specversion: '1.0';
  /** With `source`, the record's name for ever. */
  id: string;
  /** `/` and the stream's name: `/cxone/adherence`. */
  source: string;
  type: Type;
  /** The key that the record is about, where there is one. */
  subject?: string;
  /** The vendor's time where there is one, else ours. */
  time: string;
  datacontenttype: 'application/json';
  /** To go on behind this event. Store it together with what the event brought about. */
  cursor: string;
  data: Data;
}

/** A record. Its `type` tells what `data` is. */
export type Event<Payload = unknown> = {
  [Type in keyof DataOf<Payload>]: EventOf<Type, DataOf<Payload>[Type]>;
}[keyof DataOf<Payload>];

/** The present value of a key. */
export interface StateRow<Payload = unknown> {
  /** `source/stream`. */
  stream: string;
  key: string;
  /** `false`: the key was deleted (a tombstone). */
  present: boolean;
  version: string | null;
  offset: number;
  occurred_at: string | null;
  received_at: string;
  /** Since when an outage may have outdated the value; `null`: it is current. */
  stale_since: string | null;
  payload: Payload;
}

/** State, exact at `cursor`: `events({ after: cursor })` goes on without a hole. */
export interface State<Payload = unknown> {
  cursor: string;
  rows: StateRow<Payload>[];
}

/** A row of the gap ledger: an interval of doubt, its cause and its outcome. */
export interface Gap {
  stream: string;
  gap: number;
  cause: string;
  after: string | null;
  through: string | null;
  from: string;
  /** `null`: the row is open. */
  to: string | null;
  outcome: string | null;
  reconciled: boolean | null;
}

/** One stream of a source, as `unbroken status` tells. Further members are counts. */
export interface Stream {
  stream: string;
  phase: string;
  /** In microseconds since 1970. */
  since: number;
  why: string | null;
  /** What a person has to do, if anything. */
  todo: string | null;
  rung: string | null;
  position: string | null;
  [more: string]: unknown;
}

export interface Source {
  name: string;
  streams: Stream[];
  todo: string | null;
  [more: string]: unknown;
}
