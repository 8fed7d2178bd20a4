/** A relay of a few events that can cut its answers after any byte, or never finish them. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export const JOURNAL = '0190000000007000800000000000abcd';

export const cursor = (offset: number) => `${JOURNAL}:${offset}`;

export function event(offset: number) {
  return {
    specversion: '1.0', id: cursor(offset), source: '/cx/adherence', type: 'unbroken.change',
    subject: `agent-${offset}`, time: '2026-01-01T00:00:00.000Z',
    datacontenttype: 'application/json', cursor: cursor(offset + 1),
    data: { key: `agent-${offset}`, payload: { name: 'Zoë 🙂', line: 'a\r\nb' } },
  };
}

export const frame = (name: string, data: unknown, id?: string) =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

export const eventFrame = (offset: number) =>
  frame('unbroken.change', event(offset), cursor(offset + 1));

export interface Request {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Map<string, string>;
  body: string;
}

/** `text`: the whole answer. Without `end`, the connection stays open behind it. */
export interface Answer {
  text: string;
  /** Only so many bytes of it are sent, and then this is done. */
  cut?: { after: number; how: 'end' | 'reset' | 'silence' };
  end?: boolean;
}

const STATUS = (status: number) => `HTTP/1.1 ${status} Whatever\r\n`;

export function sse(...frames: string[]): string {
  const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
  const head = 'content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
  return STATUS(200) + head + chunk('retry: 1000\n\n') + frames.map(chunk).join('');
}

export function json(body: unknown, status = 200, head = ''): Answer {
  const text = JSON.stringify(body);
  const length = `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n`;
  return { text: `${STATUS(status)}${head}${length}\r\n${text}`, end: true };
}

export class FakeRelay {
  readonly requests: Request[] = [];
  readonly #sockets = new Set<Socket>();
  /** Those that were asked something: Node's fetch keeps idle ones in reserve. */
  readonly #asked = new Set<Socket>();
  readonly #server: Server;

  constructor(answer: (request: Request, count: number) => Answer | undefined) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        this.#asked.delete(socket);
      });
      socket.on('error', () => socket.destroy());
      socket.on('end', () => socket.end());
      let text = '';
      socket.on('data', (bytes) => {
        text += bytes.toString();
        const request = parse(text);
        if (!request) return;
        text = '';
        this.requests.push(request);
        this.#asked.add(socket);
        const reply = answer(request, this.requests.length);
        if (reply) send(socket, reply);
      });
    });
  }

  /** On a free port, or on a Unix socket. */
  async listen(path?: string): Promise<string> {
    if (path === undefined) this.#server.listen(0, '127.0.0.1');
    else this.#server.listen(path);
    await once(this.#server, 'listening');
    if (path !== undefined) return path;
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get connections(): number {
    return this.#asked.size;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function send(socket: Socket, { text, cut, end }: Answer): void {
  const bytes = Buffer.from(text);
  socket.setNoDelay(true);
  socket.write(cut ? bytes.subarray(0, cut.after) : bytes, () => {
    if (cut?.how === 'reset') socket.resetAndDestroy();
    else if (end || cut?.how === 'end') socket.end();
  });
}

function parse(text: string): Request | undefined {
  const [head, body] = text.split('\r\n\r\n', 2);
  if (head === undefined || body === undefined) return undefined;
  const [line = '', ...fields] = head.split('\r\n');
  const headers = new Map(fields.map((field): [string, string] => {
    const colon = field.indexOf(':');
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
  }));
  if (body.length < Number(headers.get('content-length') ?? 0)) return undefined;
  const [method = '', target = ''] = line.split(' ');
  const url = new URL(target, 'http://relay');
  return { method, path: url.pathname, query: url.searchParams, headers, body };
}
