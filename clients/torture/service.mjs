/** The real service and the simulated vendor, as processes of a test's own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const children = new Set();

/** A process that does not outlive the test. */
export function start(command, parameters, options) {
  const child = spawn(command, parameters, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  children.add(child);
  child.on('close', () => children.delete(child));
  return child;
}

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** What `unbroken simulate` says of itself. */
export async function simulate(unbroken, parameters) {
  const words = ['simulate', '--listen', '127.0.0.1:0', ...parameters];
  const vendor = start(unbroken, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  const told = {};
  for await (const line of createInterface(vendor.stdout)) {
    const [name, value] = line.split(/=(.*)/);
    told[name] = value;
    if (told.api && told.stream && told.token_url && told.client_secret) return told;
  }
  throw new Error('the simulated vendor has ended');
}

/** Writes the configuration of a service that records that vendor. */
export function configure(dir, told, { listen = '127.0.0.1:0', timing = 'demo' } = {}) {
  const config = join(dir, 'unbroken.toml');
  writeFileSync(join(dir, 'secret'), told.client_secret, { mode: 0o600 });
  writeFileSync(config, `data_dir = "unbroken-data"
[relay]
listen = "${listen}"
heartbeat_ms = 1000
# Whoever comes through a proxy of the test's names the proxy's port.
allowed_hosts = ["127.0.0.1"]
[log]
level = "error"
[[source]]
name = "cxone"
profile = "cxone"
timing = "${timing}"
api = "${told.api}"
stream = "${told.stream}"
[source.auth]
grant = "client_credentials"
url = "${told.token_url}"
client_id = "${told.client_id}"
client_secret = { file = "secret" }
`);
  return { config, data: join(dir, 'unbroken-data') };
}

/** A port that nobody listens on now. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** `unbroken run`, to be killed and started again. */
export class Service {
  kills = 0;
  #child;
  #unbroken;
  #failed;

  /** `failed(why)`: called if it ends by itself. */
  constructor(unbroken, { config, data }, failed) {
    this.#unbroken = unbroken;
    this.#failed = failed;
    this.config = config;
    this.data = data;
  }

  start() {
    const stdio = ['ignore', 'ignore', 'inherit'];
    const child = start(this.#unbroken, ['run', '-c', this.config], { stdio });
    this.#child = child;
    child.on('exit', (code) => {
      if (this.#child === child) this.#failed(`the service ended by itself with code ${code}`);
    });
  }

  /** Where its relay listens; after a kill the old address, until the new one is written. */
  address() {
    const [, host, port] = /^(.*):(\d+)$/.exec(this.#read('relay.addr'));
    return { host: host.replace(/[[\]]/g, ''), port: Number(port) };
  }

  /** Once it is there. */
  async token() {
    for (;;) {
      try {
        this.address();
        return this.#read('relay.token');
      } catch {
        await sleep(50);
      }
    }
  }

  async kill() {
    this.kills += 1;
    await this.#end('SIGKILL');
  }

  async stop() {
    await this.#end('SIGTERM');
  }

  async #end(signal) {
    const child = this.#child;
    this.#child = undefined;
    child.kill(signal);
    await once(child, 'close');
  }

  #read(name) {
    return readFileSync(join(this.data, name), 'utf8').trim();
  }
}
