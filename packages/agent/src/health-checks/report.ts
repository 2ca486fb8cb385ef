import type { ServerState } from './count.ts'
import type { Target } from './targets.ts'

/** What the agent says of one server of an upstream. */
export interface ServerReport {
  upstream_id: string
  address: string
  state: ServerState['state']
  /** Whether nginx gives it requests. */
  in_rotation: boolean
  /** Milliseconds since the epoch. */
  since: number
  last_error: string
  checks_passed: number
  checks_failed: number
}

/** A server has failed its checks, or passed them again. */
export interface StateChange {
  kind: 'down' | 'up'
  upstream_id: string
  upstream_name: string
  address: string
  error: string
}

export function reportOf({ upstream, address }: Target, state: ServerState, in_rotation: boolean): ServerReport {
  return {
    upstream_id: upstream.id,
    address,
    state: state.state,
    in_rotation,
    since: state.since,
    last_error: state.last_error.slice(0, 500),
    checks_passed: state.passed,
    checks_failed: state.failed,
  }
}

/** A change as the data of an event. */
export function dataOf({ upstream_id, upstream_name, address, error }: StateChange): Record<string, string> {
  return { upstream_id, upstream_name, address, ...(error !== '' && { error }) }
}
