import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';

/** Where the relay is. One of three. */
export type Where =
  /** The data directory of a service on this machine: address and token are read from it. */
  | { dataDir: string }
  /** Its Unix socket, `DATA_DIR/relay.sock`: no token is asked. */
  | { socket: string }
  | { url: string; token?: string };

/** Where to send a request, and how. */
export interface Place {
  base: string;
  token: string | undefined;
  fetch: typeof fetch;
}

/**
 * Read anew for each request: a service with port 0 comes back at another address, and a token may
 * have been rotated.
 */
export async function resolve(where: Where, fetch: typeof globalThis.fetch): Promise<Place> {
  if ('socket' in where) {
    return { base: 'http://localhost', token: undefined, fetch: socketFetch(where.socket) };
  }
  if ('url' in where) return { base: where.url, token: where.token, fetch };
  const read = async (name: string) => (await readFile(join(where.dataDir, name), 'utf8')).trim();
  const [address, token] = await Promise.all([read('relay.addr'), read('relay.token')]);
  return { base: address.includes('://') ? address : `http://${reachable(address)}`, token, fetch };
}

/** The address that a service on all addresses has for its own machine. */
function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:');
}

/** As much of `fetch` as is needed here, over a Unix socket. */
function socketFetch(socketPath: string): typeof fetch {
  return (input, init = {}) => {
    const url = new URL(String(input));
    const { method = 'GET', signal, body } = init;
    const headers = Object.fromEntries(new Headers(init.headers));
    const path = url.pathname + url.search;
    return new Promise((done, failed) => {
      const options = { socketPath, method, path, headers, agent: false as const };
      const sent = request({ ...options, ...(signal ? { signal } : {}) }, (answer) => {
        const fields = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
        const status = answer.statusCode ?? 500;
        const bare = status === 204 || status === 304;
        const stream = Readable.toWeb(answer) as unknown as ReadableStream<Uint8Array>;
        done(new Response(bare ? null : stream, { status, headers: fields as [string, string][] }));
      });
      sent.on('error', failed);
      sent.end(body ?? undefined);
    });
  };
}
