import { Connection } from './connection.js';
import { query, type Filter, type GapFilter, type StateFilter } from './filter.js';
import { Follower, type Item, type Timing } from './follower.js';
import { resolve, type Where } from './place.js';
import { failure } from './problem.js';
import type { Event, Gap, Source, State } from './record.js';

/** Where the relay is, and how to wait for it. Times are in milliseconds. */
export type Options = Where & Partial<Timing> & {
  /** Told of each failure that is retried, and how long the wait is. Nothing else tells of them. */
  onRetry?: (error: unknown, delayMs: number) => void;
  /** Ends everything. */
  signal?: AbortSignal;
  /** In place of the global one: for a proxy, or certificates of your own. */
  fetch?: typeof fetch;
};

/** How long one answer may take that is not a stream. */
const ANSWER_MS = 30_000;

/**
 * The relay of one Unbroken service.
 *
 * Iterators go on for ever: whatever fails is tried again from the cursor. What another attempt
 * cannot mend (410, 409, 401 and the other refusals) is thrown as a {@link ProblemError}. The other
 * calls ask once and throw whatever goes wrong.
 */
export class Unbroken {
  readonly #options: Options;

  /** Throws if `url` or `token` can never be right, since iterators would ask with them for ever. */
  constructor(options: Options) {
    if ('url' in options) {
      const { protocol } = new URL(options.url);
      if (!/^https?:$/.test(protocol)) throw new TypeError(`url: ${protocol} is not http or https`);
      new Headers({ authorization: `Bearer ${options.token ?? ''}` });
    }
    this.#options = options;
  }

  /**
   * Every event behind `after` (a cursor, `latest`, or `oldest`: the default), then each as it
   * comes. Each once and in order; `event.cursor` is the place to go on from.
   */
  events<Payload = unknown>(
    options: Filter & { after?: string } = {},
  ): Follower<Event<Payload>> {
    const { after, ...filter } = options;
    return Follower.events(this.#open, this.#timing(), query(filter), after ?? 'oldest');
  }

  /**
   * List, then watch, without a hole: the rows of state, then `synced` with the cursor at which
   * they are exact, then the events behind it. No row comes before all are here, so a half snapshot
   * is never seen.
   */
  fromState<Payload = unknown>(filter: Filter = {}): Follower<Item<Payload>> {
    return Follower.fromState(this.#open, this.#timing(), query(filter));
  }

  /** The value of each key, in one read, and the cursor at which it is exact. */
  async state<Payload = unknown>(filter: StateFilter = {}): Promise<State<Payload>> {
    return this.#ask(`/v1/state?${query(filter)}`);
  }

  /** The gap ledger. */
  async gaps(filter: GapFilter = {}): Promise<Gap[]> {
    return (await this.#ask<{ gaps: Gap[] }>(`/v1/gaps?${query(filter)}`)).gaps;
  }

  /** Each source with its streams: is it live, since when, what it waits for. */
  async sources(): Promise<Source[]> {
    return (await this.#ask<{ sources: Source[] }>('/v1/sources')).sources;
  }

  /** Has state fetched afresh, of all keys or of some. Answers with the streams that will. */
  async resync(source: string, keys?: readonly string[]): Promise<string[]> {
    const path = `/v1/sources/${encodeURIComponent(source)}/resync`;
    const body = JSON.stringify(keys ? { keys } : {});
    return (await this.#ask<{ streams: string[] }>(path, { method: 'POST', body })).streams;
  }

  /** One answer in JSON. */
  async #ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    const connection = new Connection(this.#options.signal);
    connection.expect(ANSWER_MS);
    try {
      const response = await this.#open(path, { ...init, signal: connection.signal });
      return (await response.json()) as T;
    } finally {
      connection.close();
    }
  }

  /** A successful answer, whose body is still to be read. */
  readonly #open = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const place = await resolve(this.#options, this.#options.fetch ?? fetch);
    const headers = new Headers(init.headers);
    if (place.token) headers.set('authorization', `Bearer ${place.token}`);
    if (init.body) headers.set('content-type', 'application/json');
    const url = place.base.replace(/\/+$/, '') + path;
    // A redirect would carry the token to somebody else.
    const more = { headers, redirect: 'error', cache: 'no-store' };
    const response = await place.fetch(url, { ...init, ...more } as RequestInit);
    if (!response.ok) throw await failure(response);
    return response;
  };

  #timing(): Timing & Pick<Options, 'onRetry' | 'signal'> {
    const { heartbeatTimeoutMs = 45_000, retryMs, retryMsMax = 30_000 } = this.#options;
    const { onRetry, signal } = this.#options;
    return { heartbeatTimeoutMs, retryMs, retryMsMax, onRetry, signal };
  }
}
