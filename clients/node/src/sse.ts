/** One dispatched event of a stream. */
export interface Message {
  event: string;
  data: string;
  /** The last id the stream named, up to here; `''` if it has named none. */
  id: string;
}

/** Above this a line is no event of the relay's (whose largest are far below a mebibyte). */
const LINE_CHARS_MAX = 64 * 1024 * 1024;

/**
 * Decodes `text/event-stream` (https://html.spec.whatwg.org/multipage/server-sent-events.html,
 * 9.2.6), wherever the bytes are cut. An event whose blank line has not come is not dispatched, so
 * what a cut leaves behind is asked for again.
 */
export class SseDecoder {
  // Takes the byte order mark away, and keeps the bytes of a character that is not whole.
  readonly #text = new TextDecoder();
  #rest = '';
  #afterReturn = false;
  #event = '';
  #data: string | undefined;
  #id = '';
  /** How long the server asks to wait before a new connection. */
  retryMs: number | undefined;

  push(chunk: Uint8Array): Message[] {
    let text = this.#rest + this.#text.decode(chunk, { stream: true });
    if (this.#afterReturn && text !== '') {
      if (text.startsWith('\n')) text = text.slice(1);
      this.#afterReturn = false;
    }
    const messages: Message[] = [];
    let start = 0;
    let feed = text.indexOf('\n');
    let back = text.indexOf('\r');
    while (feed !== -1 || back !== -1) {
      const end = back === -1 || (feed !== -1 && feed < back) ? feed : back;
      const message = this.#line(text.slice(start, end));
      if (message) messages.push(message);
      start = end + 1;
      if (end === back) {
        if (feed === start) start += 1;
        else if (start === text.length) this.#afterReturn = true;
      }
      if (feed !== -1 && feed < start) feed = text.indexOf('\n', start);
      if (back !== -1 && back < start) back = text.indexOf('\r', start);
    }
    this.#rest = text.slice(start);
    if (this.#rest.length > LINE_CHARS_MAX) throw new Error('a line of the stream has no end');
    return messages;
  }

  #line(line: string): Message | undefined {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return undefined;
    const field = colon === -1 ? line : line.slice(0, colon);
    let value = colon === -1 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'data') this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^[0-9]+$/.test(value)) this.retryMs = Number(value);
    return undefined;
  }

  #dispatch(): Message | undefined {
    const data = this.#data;
    const event = this.#event || 'message';
    this.#data = undefined;
    this.#event = '';
    return data === undefined ? undefined : { event, data, id: this.#id };
  }
}
