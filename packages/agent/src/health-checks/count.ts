/** How a server is judged: results in a row, as nginx Plus counts them. Times are in milliseconds. */
export interface Rules {
  interval: number
  healthy_threshold: number
  unhealthy_threshold: number
}

export interface ServerState {
  state: 'checking' | 'up' | 'down'
  /** Since when it is in this state, in milliseconds since the epoch. */
  since: number
  /** Results in a row that speak against the state. */
  against: number
  passed: number
  failed: number
  last_error: string
  /** How often it went down without a steady time in between. */
  downs: number
}

/** Undefined: it passed. */
export type Failure = string | undefined

const mostDowns = 4

export function newServer(isDown: boolean, now: number): ServerState {
  return { state: isDown ? 'down' : 'checking', since: now, against: 0, passed: 0, failed: 0, last_error: '', downs: isDown ? 1 : 0 }
}

/** The state of a server after one more result. */
export function counted(before: ServerState, failure: Failure, rules: Rules, now: number): ServerState {
  const isFailure = failure !== undefined
  const next = {
    ...before,
    passed: before.passed + (isFailure ? 0 : 1),
    failed: before.failed + (isFailure ? 1 : 0),
    last_error: failure ?? before.last_error,
  }
  if (before.state === 'checking' && !isFailure) return { ...next, state: 'up', since: now, against: 0 }
  if (isFailure === (before.state === 'down')) return { ...next, against: 0 }
  const against = before.against + 1
  if (against < needed(before, rules)) return { ...next, against }
  if (before.state === 'down') return { ...next, state: 'up', since: now, against: 0 }
  return { ...next, state: 'down', since: now, against: 0, downs: downsAfter(before, rules, now) }
}

/** A server that comes and goes must pass twice as often with each time, up to eight times, before it is believed. */
function needed({ state, downs }: ServerState, { healthy_threshold, unhealthy_threshold }: Rules): number {
  return state === 'down' ? healthy_threshold * 2 ** Math.max(0, downs - 1) : unhealthy_threshold
}

function downsAfter({ since, downs }: ServerState, { interval, healthy_threshold, unhealthy_threshold }: Rules, now: number): number {
  const wasSteady = now - since > interval * (healthy_threshold + unhealthy_threshold) * 10
  return wasSteady ? 1 : Math.min(mostDowns, downs + 1)
}
