import { setTimeout as sleep } from 'node:timers/promises';

import { Connection } from './connection.js';
import { ProblemError, Unavailable } from './problem.js';
import type { Event, StateRow } from './record.js';
import { SseDecoder, type Message } from './sse.js';

/** What `fromState` yields, in this order: rows, `synced` once, events. */
export type Item<Payload = unknown> =
  | { type: 'row'; row: StateRow<Payload> }
  /** The rows before are state exactly at `cursor`. */
  | { type: 'synced'; cursor: string }
  | { type: 'event'; event: Event<Payload> };

/** In milliseconds. */
export interface Timing {
  /** A stream that says nothing for so long is dropped: three of the relay's heartbeats. */
  heartbeatTimeoutMs: number;
  /** The first wait lies anywhere below this, and the bound doubles up to `retryMsMax`. Left out:
   * what the relay asks for, and one second before it has. */
  retryMs: number | undefined;
  retryMsMax: number;
}

type Telling = Timing & {
  onRetry?: ((error: unknown, delayMs: number) => void) | undefined;
  signal?: AbortSignal | undefined;
};

/** Sends a request and throws what is no success. */
type Open = (path: string, init: RequestInit) => Promise<Response>;

/**
 * An iterator over what comes behind a cursor, over as many connections as it takes. `break` closes
 * the connection. One loop reads it; for another, begin another one.
 */
export class Follower<T> implements AsyncIterableIterator<T> {
  readonly #open: Open;
  readonly #timing: Telling;
  readonly #query: URLSearchParams;
  readonly #items: AsyncGenerator<T, undefined>;
  #cursor: string | undefined;
  /** Rows of a state that is not whole yet; `undefined`: state is not asked for. */
  #rows: StateRow[] | undefined;
  #failures = 0;
  #retryMs: number | undefined;

  private constructor(
    open: Open, timing: Telling, query: URLSearchParams, take: (message: Message) => Iterable<T>,
  ) {
    this.#open = open;
    this.#timing = timing;
    this.#query = query;
    this.#items = this.#follow(take);
  }

  static events<Payload>(
    open: Open, timing: Telling, query: URLSearchParams, after: string,
  ): Follower<Event<Payload>> {
    const follower: Follower<Event<Payload>> = new Follower(open, timing, query, (message) =>
      follower.#events(message),
    );
    follower.#cursor = after;
    return follower;
  }

  static fromState<Payload>(
    open: Open, timing: Telling, query: URLSearchParams,
  ): Follower<Item<Payload>> {
    const follower: Follower<Item<Payload>> = new Follower(open, timing, query, (message) =>
      follower.#stateItems(message),
    );
    follower.#rows = [];
    return follower;
  }

  /** Of a reader who has read all that was yielded, and what a filter passed over behind it. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#items.next();
  }

  return(): Promise<IteratorResult<T, undefined>> {
    return this.#items.return(undefined);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async *#follow(take: (message: Message) => Iterable<T>): AsyncGenerator<T, undefined> {
    for (;;) {
      const connection = new Connection(this.#timing.signal);
      try {
        if (this.#cursor === 'latest') this.#cursor = await this.#latest(connection);
        for await (const message of this.#messages(connection)) yield* take(message);
        throw new Unavailable('the relay ended the stream');
      } catch (error) {
        this.#timing.signal?.throwIfAborted();
        if (error instanceof ProblemError) throw error;
        await this.#wait(error);
      } finally {
        connection.close();
      }
    }
  }

  /**
   * The end as a cursor. A stream asked for `latest` again after a cut would begin at another end,
   * and leave out what came between.
   */
  async #latest(connection: Connection): Promise<string> {
    connection.expect(this.#timing.heartbeatTimeoutMs);
    const { signal } = connection;
    const response = await this.#open('/v1/events?after=latest&limit=1', { signal });
    return ((await response.json()) as { cursor: string }).cursor;
  }

  /** The messages of one connection, until it ends. */
  async *#messages(connection: Connection): AsyncGenerator<Message> {
    const query = new URLSearchParams(this.#query);
    if (this.#rows) query.set('from', 'state');
    else query.set('after', this.#cursor ?? 'oldest');
    this.#rows &&= [];
    connection.expect(this.#timing.heartbeatTimeoutMs);
    const response = await this.#open(`/v1/events/stream?${query}`, {
      headers: { accept: 'text/event-stream' },
      signal: connection.signal,
    });
    const type = response.headers.get('content-type') ?? 'nothing';
    if (!response.body || !type.startsWith('text/event-stream')) {
      throw new Unavailable(`a stream was asked for, and ${type} came`);
    }
    const decoder = new SseDecoder();
    const reader = response.body.getReader();
    for (;;) {
      connection.expect(this.#timing.heartbeatTimeoutMs);
      const { done, value } = await reader.read();
      // Only silence counts, not the time that the caller takes for an event.
      connection.relax();
      if (done) return;
      for (const message of decoder.push(value)) {
        this.#failures = 0;
        yield message;
      }
      this.#retryMs = decoder.retryMs ?? this.#retryMs;
    }
  }

  async #wait(error: unknown): Promise<void> {
    const { retryMs = this.#retryMs ?? 1000, retryMsMax, onRetry, signal } = this.#timing;
    const bound = Math.min(retryMs * 2 ** Math.min(this.#failures, 30), retryMsMax);
    const asked = error instanceof Unavailable ? error.retryAfterMs : 0;
    // Anywhere below the bound: a thousand clients of a restarted relay do not come at once.
    const delay = asked + Math.random() * bound;
    this.#failures += 1;
    onRetry?.(error, delay);
    await sleep(delay, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }

  #events<Payload>(message: Message): Event<Payload>[] {
    // Why the stream ends is told again by the answer to the next request, with its status.
    if (message.event === 'unbroken.end') throw new Unavailable(`ended: ${message.data}`);
    if (message.event === 'unbroken.heartbeat') {
      if (message.id !== '') this.#cursor = message.id;
      return [];
    }
    const event = JSON.parse(message.data) as Event<Payload>;
    this.#cursor = event.cursor;
    return [event];
  }

  #stateItems<Payload>(message: Message): Iterable<Item<Payload>> {
    if (!this.#rows) {
      return this.#events<Payload>(message).map((event) => ({ type: 'event', event }));
    }
    if (message.event === 'unbroken.state') {
      this.#rows.push(JSON.parse(message.data) as StateRow);
      return [];
    }
    if (message.event !== 'unbroken.synced') return this.#early(message);
    const rows = this.#rows as StateRow<Payload>[];
    this.#rows = undefined;
    return this.#synced(rows, message.id);
  }

  *#synced<Payload>(rows: StateRow<Payload>[], cursor: string): Generator<Item<Payload>> {
    for (const row of rows) yield { type: 'row', row };
    this.#cursor = cursor;
    yield { type: 'synced', cursor };
  }

  /** Before state is whole, only the end and heartbeats may come. */
  #early(message: Message): never[] {
    if (message.event === 'unbroken.heartbeat') return [];
    throw new Unavailable(`${message.event} came before the state was whole`);
  }
}
