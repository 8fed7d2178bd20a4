/**
 * What the clients' READMEs and the guide show runs as it stands there, against the real service.
 *
 *   node documents.mjs --unbroken PATH --node DIR
 *
 * `--node`: where `clients/node` is built. Each piece of code has to print some lines in time.
 */
import { spawn } from 'node:child_process';
import {
  existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync,
} from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { configure, Service, simulate } from './service.mjs';

const { values: args } = parseArgs({
  options: { unbroken: { type: 'string' }, node: { type: 'string' } },
});
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Lines that a piece of code has to print before it is stopped. */
const LINES = 3;
const PATIENCE_MS = 30_000;

const PIECES = [
  ['clients/node/README.md', 'js', 'node', 'example.mjs'],
  ['clients/python/README.md', 'python', 'python3', 'example.py'],
  ['clients/php/README.md', 'php', 'php', 'example.php'],
  ['docs/guides/clients.md', 'sh', 'bash', 'example.sh'],
];

function fail(why) {
  console.error(`documents: ${why}`);
  process.exit(1);
}

/** All pieces of a document in one language. */
function pieces(document, language) {
  const text = readFileSync(join(ROOT, document), 'utf8');
  const found = [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)];
  return found.filter(([, name]) => name === language).map(([, , code]) => code);
}

/** Whether the example has kept its place. */
async function keptCursor(dir) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(5)) {
    const file = join(dir, 'cursor');
    if (existsSync(file) && /^\w+:\d+$/.test(readFileSync(file, 'utf8'))) return true;
  }
  return false;
}

/** How many lines it has printed, of those that it has to; and whether it has kept its place. */
async function run(dir, command, name) {
  const env = { ...process.env, PYTHONPATH: join(ROOT, 'clients/python') };
  env.PYTHONDONTWRITEBYTECODE = '1';
  const stdio = ['ignore', 'pipe', 'inherit'];
  // A group of its own, since a shell has children.
  const child = spawn(command, [name], { cwd: dir, env, stdio, detached: true });
  const stop = () => process.kill(-child.pid, 'SIGKILL');
  const timer = setTimeout(stop, PATIENCE_MS);
  let lines = 0;
  for await (const line of createInterface(child.stdout)) {
    lines += line === '' ? 0 : 1;
    if (lines === LINES) break;
  }
  const kept = command === 'bash' || (await keptCursor(dir));
  clearTimeout(timer);
  if (child.exitCode === null) stop();
  return { lines, kept };
}

const dir = mkdtempSync(join(tmpdir(), 'unbroken-documents-'));
const told = await simulate(args.unbroken, ['--agents', '10', '--rate', '50', '--faults', 'none']);
const service = new Service(args.unbroken, configure(dir, told), fail);
service.start();
await service.token();
mkdirSync(join(dir, 'node_modules'));
symlinkSync(resolve(args.node), join(dir, 'node_modules/unbroken-client'));
symlinkSync(join(ROOT, 'clients'), join(dir, 'clients'));
for (const [document, language, command, name] of PIECES) {
  const found = pieces(document, language);
  if (found.length === 0) fail(`${document} shows no ${language}`);
  for (const code of found) {
    rmSync(join(dir, 'cursor'), { force: true });
    writeFileSync(join(dir, name), code);
    const { lines, kept } = await run(dir, command, name);
    if (!kept) fail(`${document}: the cursor was not kept`);
    if (lines < (language === 'sh' ? 1 : LINES)) fail(`${document}: only ${lines} lines came`);
  }
  console.log(`documents: ${document} runs`);
}
await service.stop();
rmSync(dir, { recursive: true });
process.exit(0);
