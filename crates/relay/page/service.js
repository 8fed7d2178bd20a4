/** How the page asks its service: the public API, with the browser's cookie. */

/** Two of the relay's heartbeats (15 s unless configured), and some. */
const SILENT_MS = 35_000;
const ANSWER_MS = 10_000;

const OWN = { credentials: 'same-origin', cache: 'no-store' };

/** When the service was last heard of, in milliseconds since 1970. */
export const heard = { at: undefined };

/** Since a restarted service knows no cookie of the last one; gone with the page. */
let token;

export class Refused extends Error {
  constructor(status, problem) {
    super(problem?.title ?? `status ${status}`);
    this.status = status;
  }
}

/** The service is not there, or does not answer. */
export class Silence extends Error {}

const silent = (cause) => {
  throw new Silence('the service does not answer', { cause });
};

export async function ask(path, init = {}) {
  const signal = AbortSignal.timeout(ANSWER_MS);
  const response = await fetch(path, { ...OWN, signal, ...init }).catch(silent);
  if (!response.ok && response.status !== 304) throw await refusal(response);
  return response;
}

/** The same, for what it says. */
export async function read(path) {
  return (await ask(path)).json().catch(silent);
}

export async function enter(given) {
  const body = JSON.stringify({ token: given });
  const headers = { 'content-type': 'application/json' };
  await ask('v1/session', { method: 'POST', body, headers });
  token = given;
}

/** The messages of a stream of Server-Sent Events, as the relay writes them, until it ends. */
export async function* messages(path, abort) {
  let last = Date.now();
  const silence = setInterval(() => {
    if (Date.now() - last > SILENT_MS) abort.abort();
  }, 1000);
  try {
    const headers = { accept: 'text/event-stream' };
    const response = await fetch(path, { ...OWN, signal: abort.signal, headers }).catch(silent);
    if (!response.ok) throw await refusal(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ''; ; ) {
      const { done, value } = await reader.read().catch(silent);
      if (done) return;
      last = heard.at = Date.now();
      const parts = (rest + value).split('\n\n');
      rest = parts.pop();
      for (const part of parts) {
        const message = decode(part);
        if (message.event) yield message;
      }
    }
  } finally {
    clearInterval(silence);
    abort.abort();
  }
}

function decode(part) {
  const message = {};
  for (const line of part.split('\n')) {
    const [, name, text] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name) message[name] = text;
  }
  return message;
}

async function refusal(response) {
  return new Refused(response.status, await response.json().catch(() => undefined));
}

/** With the token of before; `false` if there is none, or it is not good any more. */
export async function enterAgain() {
  return token !== undefined && enter(token).then(() => true, () => false);
}
