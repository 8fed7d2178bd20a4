import { Unavailable } from './problem.js';

/**
 * One request's life: ended by the caller's signal, by silence, or when it is done with.
 *
 * By hand, since Node 20 may collect what `AbortSignal.any` makes while a request still hangs on it
 * (https://github.com/nodejs/node/issues/54614).
 */
export class Connection {
  readonly #abort = new AbortController();
  readonly #caller: AbortSignal | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(caller: AbortSignal | undefined) {
    this.#caller = caller;
    if (caller?.aborted) this.#abort.abort(caller.reason);
    caller?.addEventListener('abort', this.#end);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Ends it if nothing comes within this time. */
  expect(ms: number): void {
    this.relax();
    const silent = new Unavailable(`nothing came for ${ms} ms`);
    this.#timer = setTimeout(() => this.#abort.abort(silent), ms);
  }

  /** Waits without an end. */
  relax(): void {
    clearTimeout(this.#timer);
  }

  close(): void {
    this.relax();
    this.#caller?.removeEventListener('abort', this.#end);
    this.#abort.abort();
  }

  readonly #end = (): void => this.#abort.abort(this.#caller?.reason);
}
