/** Painting: some times a second, and only what has changed. */
import { changed, contact, gaps, span, staleAt, streams, words } from './held.js';

const NEWS_MAX = 100;
const GAPS_MAX = 200;

const $ = (id) => document.getElementById(id);

/** Of each stream: its card, and its part of the wall with the rows in order. */
const places = new Map();

/** From one painting to the next: quicker than anybody reads, and a tenth of the work. */
const PAUSE_MS = 100;

let [painting, paintedAt] = [false, 0];
export function paintSoon() {
  if (painting) return;
  painting = true;
  // A page in the background has no frames, and is to be right when it is looked at.
  const frame = () => (document.hidden ? paint() : requestAnimationFrame(paint));
  setTimeout(frame, Math.max(0, paintedAt + PAUSE_MS - performance.now()));
}

function paint() {
  [painting, paintedAt] = [false, performance.now()];
  for (const row of changed.gone) removeTile(row);
  for (const row of changed.rows) if (!row.gone) paintTile(row);
  for (const stream of changed.streams) paintStream(stream);
  if (changed.rows.size > 0 || changed.counts) paintStates();
  if (changed.ledger) paintLedger();
  if (changed.news.length > 0) paintNews();
  paintOverall();
  changed.gone.length = changed.news.length = 0;
  changed.rows.clear();
  changed.streams.clear();
  changed.ledger = changed.counts = false;
}

function make(tag, name = '', text = '') {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function paintTile(row) {
  if (!row.tile) addTile(row);
  const { tile, parts } = row;
  const stale = staleAt(row);
  write(parts.state, row.state);
  write(parts.plan, row.off ? `planned: ${row.plan ?? 'something else'}` : '');
  if (row.stateShown !== row.state) {
    row.stateShown = row.state;
    tile.dataset.tone = tone(row.state);
    tile.style.setProperty('--hue', hue(row.state));
  }
  if (tile.classList.contains('stale') !== (stale !== undefined)) tile.classList.toggle('stale');
  if (tile.hidden === isWanted(row)) tile.hidden = !tile.hidden;
  row.staleShown = stale;
  paintSince(row);
}

/** Where a stream is shown. */
function placeOf(stream) {
  let place = places.get(stream);
  if (!place) {
    place = {
      card: make('li', 'card'), section: make('section', 'group'), title: make('h3'),
      list: make('ul', 'tiles'), order: [],
    };
    place.section.append(place.title, place.list);
    places.set(stream, place);
    $('streams').append(place.card);
    $('wall').append(place.section);
  }
  return place;
}

function addTile(row) {
  const parts = {
    state: make('b'), since: make('span', 'since'), key: make('span', 'key', row.key),
    plan: make('span', 'plan'),
  };
  const tile = make('li', 'tile');
  tile.append(parts.state, parts.since, parts.key, parts.plan);
  Object.assign(row, { tile, parts });
  const { order, list } = placeOf(row.stream);
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (order[middle].key < row.key) low = middle + 1;
    else high = middle;
  }
  list.insertBefore(tile, order[low]?.tile ?? null);
  order.splice(low, 0, row);
}

function removeTile(row) {
  if (!row.tile) return;
  const { order } = placeOf(row.stream);
  order.splice(order.indexOf(row), 1);
  row.tile.remove();
}

function paintSince(row) {
  const stale = row.staleShown;
  const text = stale === undefined ? age(row.since) : `as of ${clock(stale)}`;
  write(row.parts.since, text);
}

const TONES = {
  good: /^(available|on ?queue|ready|idle)/i,
  busy: /^(busy|on ?call|talking|inbound|outbound|in ?contact)/i,
  wrap: /^(acw|after|wrap)/i,
  hold: /^(on ?hold|hold)/i,
  rest: /^(break|lunch|meal|meeting|training|coaching|away)/i,
  gone: /^(off|logged|unknown|unavailable)/i,
};

function tone(state) {
  return Object.keys(TONES).find((name) => TONES[name].test(state)) ?? 'other';
}

/** For words that nobody here knows: always the same colour for the same word. */
function hue(state) {
  let sum = 7;
  for (const letter of state) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return String(sum);
}

function paintStream(stream) {
  const { told, lostAt, phase } = stream;
  const { card, section, title } = placeOf(stream);
  const stale = contact.lostAt ?? lostAt;
  const live = stale === undefined && phase === 'live';
  const head = make('div', 'head');
  const said = contact.lostAt === undefined ? words(phase) : 'not known';
  
  head.append(make('b', '', stream.name), make('span', `pill ${live ? 'good' : 'bad'}`, said));
  const lines = [];
  if (contact.lostAt === undefined && stream.since) {
    const since = make('p', 'hint', `${live ? 'Live' : `Was live until ${clock(lostAt)};`} `);
    const ticking = make('span', 'ticking', age(stream.since));
    ticking.dataset.since = stream.since;
    since.append(live ? 'for ' : 'in this step for ', ticking);
    if (told.rung) since.append(`, by ${told.rung}`);
    lines.push(since);
  }
  if (!live && told.why) lines.push(make('p', 'why', told.why));
  if (stream.todo) lines.push(make('p', 'todo', stream.todo));
  if (told.events !== undefined) {
    const position = told.position ? `, position ${told.position}` : '';
    lines.push(make('p', 'hint', `${told.events.toLocaleString('en')} events${position}`));
  }
  card.replaceChildren(head, ...lines);
  card.classList.toggle('stale', !live);
  section.classList.toggle('stale', stale !== undefined);
  write(title, stale === undefined ? stream.name : `${stream.name}: as of ${clock(stale)}`);
}

/** How many agents are in which state; each a button that shows only those. */
const wanted = { state: undefined, text: '' };
const buttons = new Map();

function isWanted(row) {
  if (wanted.state !== undefined && row.state !== wanted.state) return false;
  return wanted.text === '' || `${row.key} ${row.state}`.toLowerCase().includes(wanted.text);
}

function paintStates() {
  const counts = new Map();
  let [total, stale] = [0, 0];
  for (const [stream, { section }] of places) {
    for (const row of stream.rows.values()) {
      counts.set(row.state, (counts.get(row.state) ?? 0) + 1);
      if (staleAt(row) !== undefined) stale += 1;
    }
    total += stream.rows.size;
    section.hidden = stream.rows.size === 0;
  }
  for (const state of [...counts.keys()].filter((name) => !buttons.has(name)).sort()) {
    const button = make('button', 'chip');
    button.type = 'button';
    button.dataset.tone = tone(state);
    button.style.setProperty('--hue', hue(state));
    button.append(make('span', '', `${state} `), make('b'));
    button.addEventListener('click', () => {
      wanted.state = wanted.state === state ? undefined : state;
      filterAll();
    });
    buttons.set(state, button);
    $('states').append(button);
  }
  for (const [state, button] of buttons) {
    write(button.lastChild, String(counts.get(state) ?? 0));
    button.hidden = !counts.has(state) && wanted.state !== state;
    button.setAttribute('aria-pressed', String(wanted.state === state));
  }
  const shown = (count) => count.toLocaleString('en');
  const marked = stale > 0 ? `, ${shown(stale)} as of an earlier time` : '';
  write($('counts'), `${shown(total)} agents${marked}`);
  $('nobody').hidden = total > 0;
}

/** Shows only what is looked for. */
export function find(text) {
  wanted.text = text.trim().toLowerCase();
  filterAll();
}

function filterAll() {
  for (const { rows } of streams.values()) for (const row of rows.values()) changed.rows.add(row);
  paintSoon();
}

let ledgerShown = '';
function paintLedger() {
  const begun = (gap) => Date.parse(gap.from);
  const rows = [...gaps.values()].sort((a, b) => begun(b) - begun(a) || b.gap - a.gap);
  const told = JSON.stringify(rows.slice(0, GAPS_MAX));
  if (told === ledgerShown) return;
  ledgerShown = told;
  const open = rows.filter((gap) => !gap.outcome).length;
  const cut = rows.length > GAPS_MAX ? `, the last ${GAPS_MAX} shown` : '';
  const total = rows.length === 1 ? '1 row' : `${rows.length} rows`;
  write($('ledger-count'), `${total}, ${open} open${cut}`);
  $('gaps').replaceChildren(...rows.slice(0, GAPS_MAX).map((gap) => {
    const row = make('tr');
    const outcome = make('td');
    const good = gap.outcome === 'repaired' ? 'good' : gap.outcome ? 'doubt' : 'bad';
    outcome.append(make('span', `pill ${good}`, gap.outcome ?? 'open'));
    const name = streams.size > 1 ? `${gap.stream} ${gap.gap}` : String(gap.gap);
    const when = make('td', '', `${stamp(gap.from)} – ${gap.to ? stamp(gap.to) : 'now'}`);
    when.append(make('small', '', `${gap.after ?? 'the beginning'} – ${gap.through ?? '…'}`));
    row.append(make('td', '', name), outcome, make('td', '', words(gap.cause)), when);
    return row;
  }));
}

function paintNews() {
  for (const { stream, at, tone, title, detail } of changed.news) {
    const item = make('p', tone);
    const time = make('time', '', clock(at));
    time.dateTime = new Date(at).toISOString();
    const more = [streams.size > 1 ? stream.name : '', detail ?? ''].filter(Boolean).join(': ');
    item.append(time, make('b', '', title), make('span', '', more));
    $('news').prepend(item);
  }
  while ($('news').children.length > NEWS_MAX) $('news').lastChild.remove();
  $('quiet').hidden = $('news').children.length > 0;
}

/** Loud if anything shown may be old. What ticks is no part of what is read out. */
let alarmed = '';
function paintOverall() {
  const lines = [];
  if (contact.lostAt !== undefined) {
    lines.push(['This page has lost the service', contact.lostAt, 'Trying again.']);
  } else {
    for (const { name, phase, lostAt, told, todo, rows } of streams.values()) {
      // Before the service has told of it.
      const unknown = phase === 'unknown' && rows.size > 0;
      if ((phase === 'live' || unknown) && lostAt === undefined) continue;
      const why = phase === 'paused' ? 'Paused by a person.' : (told?.why ?? '');
      lines.push([`${name} is not live`, lostAt, todo ? `To do: ${todo}` : why]);
    }
  }
  const bad = lines.length > 0;
  document.body.classList.toggle('stale', bad);
  const text = bad ? 'Not current' : streams.size > 0 ? 'Live' : 'Loading';
  write($('overall'), text);
  $('overall').className = `pill ${bad ? 'bad' : 'good'}`;
  document.title = `${bad ? '▲ Not current' : text} · Unbroken`;
  const said = JSON.stringify(lines);
  if (said === alarmed) return;
  alarmed = said;
  $('alarm').hidden = !bad;
  $('alarm').replaceChildren(...lines.map(([title, at, why]) => {
    const line = make('p');
    line.append(make('b', '', `${title}.`));
    if (at !== undefined) {
      line.append(make('span', '', ` What you see is as of ${clock(at)}`));
      const ticking = make('span', 'ticking', `, ${age(at)} ago`);
      ticking.dataset.ago = at;
      ticking.setAttribute('aria-hidden', 'true');
      line.append(ticking, make('span', '', '.'));
    }
    line.append(make('span', 'why', ` ${why ?? ''}`));
    return line;
  }));
}

export function tick() {
  for (const stream of streams.values()) {
    for (const row of stream.rows.values()) {
      if (row.parts && row.staleShown === undefined && !row.tile.hidden) paintSince(row);
    }
  }
  for (const element of document.querySelectorAll('.ticking')) {
    const { since, ago } = element.dataset;
    const text = since ? age(Number(since)) : `, ${age(Number(ago))} ago`;
    write(element, text);
  }
}

/** Whole seconds, since it ticks. */
const age = (at) => span(Math.floor((Date.now() - at) / 1000) * 1000);

const clock = (ms) => (ms === undefined ? '?' : new Date(ms).toLocaleTimeString('en-GB'));

function stamp(text) {
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  return today ? clock(at) : `${at.toLocaleDateString('en-CA')} ${clock(at)}`;
}
