/**
 * A TCP proxy that cuts: each connection after a number of bytes that `cutAfter` says, in one of the
 * ways in which connections end. What it sent before the cut is whole, whatever byte that is.
 */
import { createServer, connect } from 'node:net';

/** `end`: as if all had been said. `reset`: as a dead peer. `silence`: nothing more comes. */
export const WAYS = ['end', 'reset', 'silence'];

export class CuttingProxy {
  /** Cuts by way, and connections that came while there was nothing behind the proxy. */
  cuts = { end: 0, reset: 0, silence: 0 };
  refused = 0;
  bytes = 0;
  #server;
  #sockets = new Set();

  /**
   * `target()`: `{ host, port }` for each new connection. `cutAfter()`: after how many bytes to the
   * client the next connection is cut, and how.
   */
  constructor({ target, cutAfter }) {
    this.#server = createServer((client) => {
      let cut;
      let upstream;
      this.#keep(client);
      try {
        cut = cutAfter();
        upstream = connect(target());
      } catch {
        this.refused += 1;
        client.destroy();
        return;
      }
      this.#keep(upstream);
      this.#join(client, upstream, cut);
    });
  }

  async listen() {
    await new Promise((done) => this.#server.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  get cutCount() {
    return WAYS.reduce((sum, way) => sum + this.cuts[way], 0);
  }

  /** Resets every connection. */
  cutAll() {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  close() {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #join(client, upstream, { after, way }) {
    let left = after;
    let opened = false;
    let isCut = false;
    upstream.on('connect', () => (opened = true));
    client.on('data', (data) => upstream.write(data));
    client.on('end', () => upstream.end());
    client.on('error', () => upstream.destroy());
    client.on('close', () => upstream.destroy());
    upstream.on('data', (data) => {
      if (isCut) return;
      const part = data.subarray(0, left);
      left -= part.length;
      this.bytes += part.length;
      isCut = left === 0;
      // What stands in the way of the last byte is sent first, and only then is cut.
      const ready = client.write(part, () => isCut && this.#cut(client, upstream, way));
      if (ready || isCut) return;
      upstream.pause();
      client.once('drain', () => upstream.resume());
    });
    upstream.on('end', () => isCut || client.end());
    upstream.on('error', () => {
      if (!opened) this.refused += 1;
      if (!isCut) client.destroy();
    });
  }

  #cut(client, upstream, way) {
    this.cuts[way] += 1;
    upstream.destroy();
    if (way === 'reset') client.resetAndDestroy();
    else if (way === 'end') client.end();
    // Of a silent one the client has to notice by itself.
  }
}
