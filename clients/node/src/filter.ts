import type { Kind } from './record.js';

/** Which events. Left out: all. A filter never loses the place. */
export interface Filter {
  /** A source, or one stream of it as `source/stream`. */
  source?: string;
  keys?: readonly string[];
  keyPrefix?: string;
  kinds?: readonly Kind[];
}

/** Which rows of state. */
export interface StateFilter extends Omit<Filter, 'kinds'> {
  status?: 'live' | 'stale' | 'all';
  /** Deleted keys too. */
  tombstones?: boolean;
}

/** Which rows of the ledger. */
export interface GapFilter {
  source?: string;
  open?: boolean;
}

/** The members as they stand in a query; arrays are repeated, `undefined` is left out. */
export function query(filter: Filter & StateFilter & GapFilter): URLSearchParams {
  const params = new URLSearchParams();
  const put = (name: string, value: string | boolean | undefined) => {
    if (value !== undefined) params.append(name, String(value));
  };
  put('source', filter.source);
  for (const key of filter.keys ?? []) put('key', key);
  put('key_prefix', filter.keyPrefix);
  for (const kind of filter.kinds ?? []) put('kind', kind);
  put('status', filter.status);
  put('tombstones', filter.tombstones);
  put('open', filter.open);
  return params;
}
