/**
 * The clients against the real service, which is killed again and again, through a proxy that cuts
 * their connections: each event once, in order, by nothing but the cursor.
 *
 *   node run.mjs --unbroken PATH --node DIR [--count 1000000] [--cuts 100] [--kills 20] [--seed 1]
 *                [--rate 5000] [--agents 1000] [--faults none] [--config FILE] [--data DIR]
 *                [--clients node,python,asyncio,php]
 *
 * `--node`: where `clients/node` is built. Without `--config`, the service records
 * `unbroken simulate` at this rate while the clients read, so that kills hit ingest and tail alike;
 * with it (and `--data`, the data directory it names) a service is run that has its log already.
 *
 * A client prints JSON lines: `{"read": N}` now and then, at the end also `digest`, over what it
 * read; `{"wrong": "…"}` if an event was left out, doubled or out of order. All digests must be that
 * of `unbroken export`. Exit code 0 only if they are, and cuts and kills were as many as asked for.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { CuttingProxy } from './proxy.mjs';
import { configure, Service, simulate, start } from './service.mjs';

const text = (value) => ({ type: 'string', default: value });
const { values: args } = parseArgs({
  options: {
    unbroken: text(), node: text(), count: text('1000000'), cuts: text('100'), kills: text('20'),
    seed: text('1'), rate: text('5000'), agents: text('1000'), faults: text('none'), config: text(),
    data: text(), clients: text('node,python,asyncio,php'),
  },
});
const [COUNT, CUTS, KILLS, SEED] = [args.count, args.cuts, args.kills, args.seed].map(Number);
const CLIENTS = dirname(dirname(fileURLToPath(import.meta.url)));

/** Bytes of an event on the wire, until it is known better. */
const EVENT_BYTES = 800;

/** A run in which nothing is read for so long has failed. */
const STALLED_MS = 120_000;

let state = SEED >>> 0;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};

class Client {
  read = 0;
  /** What it said at its end. */
  end;
  kills = 0;
  #proxy;

  constructor(name, service) {
    this.name = name;
    this.#proxy = new CuttingProxy({
      target: () => service.address(),
      cutAfter: () => this.#cut(),
    });
  }

  /** Spread over what is left to read; some more than asked for, since the last may come too late. */
  #cut() {
    const bytes = this.read > 0 ? this.#proxy.bytes / this.read : EVENT_BYTES;
    const left = Math.max(CUTS * 1.3 + 5 - this.#proxy.cutCount, 1);
    const mean = (bytes * Math.max(COUNT - this.read, COUNT / 100)) / left;
    const chance = random();
    // Few are silent, since the client has to wait until it knows.
    const way = chance < 0.05 ? 'silence' : chance < 0.5 ? 'reset' : 'end';
    return { after: 1 + Math.floor(-Math.log(1 - random()) * mean), way };
  }

  async run(token) {
    const url = await this.#proxy.listen();
    const parameters = [url, args.count, args.seed];
    const env = { ...process.env, UNBROKEN_TOKEN: token, PYTHONPATH: join(CLIENTS, 'python') };
    const [command, ...before] = {
      node: [process.execPath, join(args.node ?? '', 'build/torture.js')],
      python: ['python3', join(CLIENTS, 'python/torture.py')],
      asyncio: ['python3', join(CLIENTS, 'python/torture.py')],
      php: ['php', join(CLIENTS, 'php/torture.php')],
    }[this.name];
    if (this.name === 'asyncio') parameters.push('asyncio');
    const began = performance.now();
    const child = start(command, [...before, ...parameters], { env });
    const closed = once(child, 'close');
    for await (const line of createInterface(child.stdout)) {
      const said = JSON.parse(line);
      if (said.wrong) fail(`${this.name}: ${said.wrong}`);
      this.read = said.read;
      if (said.digest) this.end = said;
    }
    const [code] = await closed;
    this.seconds = (performance.now() - began) / 1000;
    this.#proxy.close();
    if (code !== 0 || !this.end) fail(`${this.name} ended with code ${code}`);
  }

  row() {
    const { cuts, cutCount, refused } = this.#proxy;
    const ways = `${cuts.end}/${cuts.reset}/${cuts.silence}`;
    const { retries, restarts } = this.end;
    const cells = [this.name, this.end.read, cutCount, ways, this.kills, refused, retries, restarts];
    return [...cells, this.seconds.toFixed(1)];
  }

  get cutCount() {
    return this.#proxy.cutCount;
  }
}

/** The digest of the log's first COUNT records, by another way than the relay. */
async function exported(service) {
  const parameters = ['export', '-c', service.config, '--format', 'cloudevents'];
  const child = start(args.unbroken, parameters);
  const ended = once(child, 'exit');
  const digest = createHash('sha256');
  let read = 0;
  for await (const line of createInterface(child.stdout)) {
    const { id, source, type, subject, time, data } = JSON.parse(line);
    const parts = [id, source, type, subject ?? '', time, data.key ?? ''];
    digest.update(`${[...parts, data.position?.sequence ?? ''].join(' ')}\n`);
    read += 1;
    if (read === COUNT) break;
  }
  // What has come behind is no matter of the clients.
  child.kill('SIGKILL');
  await ended;
  return read === COUNT ? digest.digest('hex') : `of ${read} records`;
}

function fail(why) {
  console.error(`torture: ${why} (--seed ${SEED})`);
  process.exit(1);
}

/** Kills whenever the fastest client has come a part further, so that each of them sees all kills. */
async function killing(service, clients) {
  let [seen, since] = [0, performance.now()];
  for (;;) {
    const running = clients.filter((client) => !client.end);
    if (running.length === 0) return;
    const read = clients.reduce((sum, client) => sum + client.read, 0);
    if (read > seen) [seen, since] = [read, performance.now()];
    if (performance.now() - since > STALLED_MS) fail('nothing is read any more');
    const fastest = Math.max(...clients.map((client) => client.read));
    if (service.kills < KILLS && fastest >= ((service.kills + 0.8) / (KILLS + 1)) * COUNT) {
      await sleep(random() * 200);
      for (const client of clients) if (!client.end) client.kills += 1;
      await service.kill();
      service.start();
    }
    await sleep(20);
  }
}

/** A service that records what is simulated now. */
async function recorded(dir) {
  const { agents, rate, faults, seed } = args;
  const vendor = ['--agents', agents, '--rate', rate, '--faults', faults, '--seed', seed];
  return configure(dir, await simulate(args.unbroken, vendor));
}

async function main() {
  if (!args.unbroken) fail('--unbroken PATH is needed');
  const dir = mkdtempSync(join(tmpdir(), 'unbroken-torture-'));
  console.log(`torture: ${COUNT} events, ${CUTS} cuts, ${KILLS} kills, --seed ${SEED}`);
  const made = args.config ? { config: args.config, data: args.data } : await recorded(dir);
  const service = new Service(args.unbroken, made, fail);
  service.start();
  const token = await service.token();
  const clients = args.clients.split(',').map((name) => new Client(name, service));
  await Promise.all([...clients.map((client) => client.run(token)), killing(service, clients)]);
  await service.stop();
  const digest = await exported(service);

  const head = ['client', 'events', 'cuts', 'end/reset/silence', 'kills', 'refused', 'retries'];
  const table = [[...head, 'restarts', 'seconds'], ...clients.map((client) => client.row())];
  const widths = table[0].map((_, at) => Math.max(...table.map((row) => String(row[at]).length)));
  for (const row of table) {
    console.log(row.map((cell, at) => String(cell).padEnd(widths[at])).join('  '));
  }
  for (const client of clients) {
    if (client.end.digest !== digest) fail(`${client.name} read something else than the log holds`);
    if (client.cutCount < CUTS) fail(`${client.name}: too few cuts`);
    if (client.kills < KILLS) fail(`${client.name}: too few kills`);
  }
  console.log(`the log says the same: ${digest}`);
  rmSync(dir, { recursive: true });
  process.exit(0);
}

await main();
