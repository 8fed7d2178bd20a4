/** Reads Unbroken's relay. Begin with {@link Unbroken}. */
export { Unbroken, type Options } from './client.js';
export { ProblemError, type Problem } from './problem.js';
export type { Follower, Item } from './follower.js';
export type { Filter, GapFilter, StateFilter } from './filter.js';
export type {
  Change, ConnectionTurn, Event, EventOf, Gap, GapClosed, GapOpened, Kind, Position, Source, State,
  StateRow, Stream,
} from './record.js';
