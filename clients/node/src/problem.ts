/** A problem as the relay tells it (RFC 9457), with whatever further members it has. */
export interface Problem {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  hint?: string;
  oldest?: string;
  latest?: string;
  [more: string]: unknown;
}

/** The relay said no, and would say so again: nobody but the caller can decide what to do. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  /** The problem's short name: `cursor-expired`, `journal-changed`, `cursor-ahead`, … */
  readonly code: string;
  /** With `cursor-expired` and `journal-changed`: the cursor of the oldest record kept. */
  readonly oldest: string | undefined;
  /** With `cursor-ahead`: the cursor of the end. */
  readonly latest: string | undefined;

  constructor(readonly status: number, readonly problem: Problem) {
    const text = [problem.title ?? `status ${status}`, problem.detail, problem.hint];
    super(text.filter((part) => part).join('; '));
    this.code = problem.type?.split('/').pop() ?? '';
    this.oldest = problem.oldest;
    this.latest = problem.latest;
  }
}

/** Something that another attempt may mend: a cut, a restart, a proxy without its service. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';

  /** `retryAfterMs`: what the other side asked for. */
  constructor(message: string, readonly retryAfterMs = 0) {
    super(message);
  }
}

/** Statuses of the 4xx that say "later": request timeout, too early, too many requests. */
const LATER = new Set([408, 425, 429]);

/** What an answer without success means. Reads its body. */
export async function failure(response: Response): Promise<ProblemError | Unavailable> {
  const { status } = response;
  const text = await response.text().catch(() => '');
  if (status < 400 || status >= 500 || LATER.has(status)) {
    const seconds = Number(response.headers.get('retry-after'));
    return new Unavailable(`status ${status}`, seconds > 0 ? seconds * 1000 : 0);
  }
  return new ProblemError(status, parse(text) ?? { status });
}

function parse(text: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Problem) : undefined;
  } catch {
    return undefined;
  }
}
