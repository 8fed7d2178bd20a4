/**
 * The live page in Chromium, against the real service: through a loss at the vendor's and the
 * recovery, and through a kill of the service itself.
 *
 *   node page.mjs --unbroken PATH [--chromium PATH] [--shots DIR] [--agents 250] [--rate 40]
 *                 [--page DIR] [--modules DIR]
 *
 * `--modules`: where this package's dependencies are installed; default: here. With `--shots`,
 * `live.png` and `outage.png` are written there; with `--page`, the page's files are taken from there
 * and not from the binary, for who works on them. Exit code 0 only if all held.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { CuttingProxy } from '../torture/proxy.mjs';
import { configure, freePort, Service, simulate } from '../torture/service.mjs';

const text = (value) => ({ type: 'string', default: value });
const { values: args } = parseArgs({
  options: {
    unbroken: text(), chromium: text('/usr/bin/chromium'), shots: text(), agents: text('250'),
    rate: text('40'), page: text(), modules: text(fileURLToPath(new URL('.', import.meta.url))),
  },
});
const { resolve } = createRequire(join(args.modules, 'package.json'));
const { chromium } = createRequire(import.meta.url)(resolve('playwright-core'));

/** Whatever is waited for comes much sooner, or not at all. */
const PATIENCE_MS = 60_000;

/** The vendor's road to the service, to be cut. */
async function road(told) {
  const to = (url) => ({ host: '127.0.0.1', port: Number(new URL(url).port) });
  let open = true;
  const target = () => (open ? to(told.api) : assert.fail('the road is cut'));
  const cutAfter = () => ({ after: Infinity, way: 'reset' });
  const proxy = new CuttingProxy({ target, cutAfter });
  const url = await proxy.listen();
  return {
    told: { ...told, api: url, stream: url.replace('http', 'ws') },
    cut() {
      open = false;
      proxy.cutAll();
    },
    mend: () => (open = true),
    close: () => proxy.close(),
  };
}

async function openPage(browser, url) {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 }, colorScheme: 'light', reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.stack));
  page.on('console', (message) => {
    // A service that is away, and a token that is refused, are in the console as failed requests.
    const expected = /Failed to load resource/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !expected) complaints.push(message.text());
  });
  if (args.page) {
    await page.route(/\/$|\/page\//, async (route) => {
      const name = new URL(route.request().url()).pathname.split('/').pop() || 'index.html';
      const response = await route.fetch();
      await route.fulfill({ response, body: readFileSync(join(args.page, name)) });
    });
  }
  await page.goto(url);
  return { page, complaints };
}

/** What is on the wall, by agent. */
const wall = (page) => page.$$eval('.tile', (tiles) => Object.fromEntries(tiles.map((tile) => [
  tile.querySelector('.key').textContent, tile.querySelector('b').textContent,
])));

/** The page shows what the service holds: soon, since events go on. */
async function agrees(page, url, token) {
  const headers = { authorization: `Bearer ${token}` };
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const before = await wall(page);
    const { rows } = await (await fetch(`${url}/v1/state`, { headers })).json();
    const after = await wall(page);
    const held = Object.fromEntries(rows.map((row) => [row.key, row.payload.state]));
    // What changes between two looks may show either.
    const keys = new Set([...Object.keys(held), ...Object.keys(before), ...Object.keys(after)]);
    const wrong = [...keys].filter((key) => ![before[key], after[key]].includes(held[key]));
    if (wrong.length === 0) return;
    const told = wrong.slice(0, 5).map((key) => `${key}: ${after[key]}, held: ${held[key]}`);
    assert.ok(Date.now() < end, `the page does not show what is held: ${told.join('; ')}`);
  }
}

async function says(page, id, wanted) {
  const said = ([name, words]) => new RegExp(words).test(document.getElementById(name).innerText);
  await page.waitForFunction(said, [id, wanted]).catch(async (error) => {
    const text = await page.$eval(`#${id}`, (element) => element.innerText);
    throw new Error(`#${id} says ${JSON.stringify(text)}, and not ${wanted}`, { cause: error });
  });
}

const isStale = (page, wanted) => page.waitForFunction(
  (stale) => [...document.querySelectorAll('.tile')].every((tile) =>
    tile.classList.contains('stale') === stale
      && /as of \d\d:\d\d:\d\d/.test(tile.textContent) === stale), wanted,
);

/** Contrast, names, roles and the like, in both colour schemes. */
async function isAccessible(page) {
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    if (!(await page.evaluate(() => 'axe' in window))) {
      await page.evaluate(readFileSync(resolve('axe-core'), 'utf8'));
    }
    const { violations, passes } = await page.evaluate(() => window.axe.run());
    const told = violations.map(
      ({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`,
    );
    assert.deepEqual(told, [], `${colorScheme}: accessible`);
    assert.ok(passes.some(({ id }) => id === 'color-contrast'), 'contrast was looked at');
  }
}

/** How far it is. */
function say(what) {
  console.log(`page: ${what}, after ${(performance.now() / 1000).toFixed(1)} s`);
}

/** After some seconds, so that there is something to be seen. */
async function shoot(page, name) {
  if (!args.shots) return;
  await sleep(7000);
  await page.screenshot({ path: join(args.shots, name) });
}

async function signIn(page, token) {
  await page.fill('#token', 'ubk_wrong');
  await page.press('#token', 'Enter');
  await says(page, 'refused', 'not good');
  await page.fill('#token', token);
  await page.press('#token', 'Enter');
}

async function main() {
  assert.ok(args.unbroken, '--unbroken PATH is needed');
  const dir = mkdtempSync(join(tmpdir(), 'unbroken-page-'));
  const simulated = ['--agents', args.agents, '--rate', args.rate, '--faults', 'none'];
  const vendor = await road(await simulate(args.unbroken, simulated));
  const listen = `127.0.0.1:${await freePort()}`;
  const url = `http://${listen}`;
  const made = configure(dir, vendor.told, { listen, timing: 'production' });
  const service = new Service(args.unbroken, made, (why) => assert.fail(why));
  service.start();
  const token = await service.token();

  const browser = await chromium.launch({
    executablePath: args.chromium, args: ['--headless', '--no-sandbox'],
  });
  const { page, complaints } = await openPage(browser, url);
  await isAccessible(page);
  await signIn(page, token);

  await says(page, 'overall', 'Live');
  await page.waitForFunction(
    (count) => document.querySelectorAll('.tile').length === count, Number(args.agents),
  );
  await agrees(page, url, token);
  await isStale(page, false);
  assert.equal(await page.isVisible('#alarm'), false);
  assert.match(await page.innerText('#gaps'), /^1\s+unrecoverable\s+start/);
  const ticks = await page.innerText('.tile .since');
  await page.waitForFunction(
    (before) => document.querySelector('.tile .since').innerText !== before, ticks,
  );
  say('live, and it shows what is held');

  // A first loss and its recovery, so that there is one to be seen.
  await lose(page, vendor);
  await recover(page, vendor);
  await agrees(page, url, token);
  await isAccessible(page);
  await shoot(page, 'live.png');
  say('a loss and its recovery');

  await lose(page, vendor);
  await isAccessible(page);
  await shoot(page, 'outage.png');
  await recover(page, vendor);

  await filters(page);

  await service.kill();
  await says(page, 'alarm', 'This page has lost the service. What you see is as of \\d\\d:');
  await isStale(page, true);
  service.start();
  await says(page, 'overall', 'Live');
  await isStale(page, false);
  await agrees(page, url, token);
  say('the service killed, and there again');

  await guide(page);
  await page.click('#leave');
  await page.waitForSelector('#enter:not([hidden])');
  assert.equal(await page.isVisible('#board'), false);
  assert.deepEqual(complaints, []);

  await browser.close();
  await service.stop();
  vendor.close();
  rmSync(dir, { recursive: true });
  process.exit(0);
}

async function lose(page, vendor) {
  vendor.cut();
  await says(page, 'alarm', 'cxone/adherence is not live. What you see is as of [\\d:]{8}');
  await says(page, 'overall', 'Not current');
  await isStale(page, true);
  await says(page, 'news', 'Connection closed|In doubt');
  assert.match(await page.title(), /Not current/);
}

async function recover(page, vendor) {
  vendor.mend();
  await says(page, 'overall', 'Live');
  await page.waitForSelector('#alarm', { state: 'hidden' });
  await isStale(page, false);
  await says(page, 'news', 'Live after');
}

/** Found and filtered with the keyboard. */
async function filters(page) {
  const key = await page.innerText('.tile .key');
  await page.fill('#find', key);
  await page.waitForFunction(() => document.querySelectorAll('.tile:not([hidden])').length === 1);
  await page.fill('#find', '');
  await page.focus('.chip');
  const state = await page.innerText('.chip span');
  await page.keyboard.press('Enter');
  await page.waitForFunction((wanted) => {
    const shown = [...document.querySelectorAll('.tile:not([hidden]) b')];
    return shown.length > 0 && shown.every((name) => name.textContent === wanted.trim())
      && document.querySelector('.chip').getAttribute('aria-pressed') === 'true';
  }, state);
  await page.keyboard.press('Enter');
}

/** What the guide shows for browsers runs as it stands there. */
async function guide(page) {
  const text = readFileSync(new URL('../../docs/guides/clients.md', import.meta.url), 'utf8');
  const [, code] = /^```js\n([^]*?)^```$/m.exec(text);
  const said = page.waitForEvent('console', (message) => / keys$/.test(message.text()));
  await page.evaluate(code);
  assert.equal((await said).text(), `${args.agents} keys`);
}

await main().catch((error) => {
  console.error(error);
  process.exit(1);
});
