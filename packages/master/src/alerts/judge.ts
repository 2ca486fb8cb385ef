import type { AgentHealth } from '@nxmesh/model/agent'
import { type AlertCondition, type AlertMetric, alertMetrics } from '@nxmesh/model/alert-rule'
import type { AgentAlert } from '../agent-events.ts'
import { warningTimes } from '../certificates/renewal.ts'
import type { AgentRow } from '../db/schema.ts'
import type { AgentRates } from '../telemetry/query.ts'

/** What is known of an agent when rules are held against it. */
export interface Subject {
  agent: Pick<AgentRow, 'state' | 'registered_at' | 'last_seen_at' | 'config_status' | 'config_error' | 'drift'>
  health: AgentHealth | null
  /** What the agent itself warns of. */
  warnings: readonly AgentAlert[]
  /** Those that it serves or is to serve. */
  certificates: readonly ServedCertificate[]
  /** By the length of the window in seconds; absent where the store could not be asked. */
  rates: ReadonlyMap<number, AgentRates>
}

/** A certificate and its life, in milliseconds since the epoch. */
export interface ServedCertificate {
  name: string
  notBefore: number
  notAfter: number
}

/** Whether a condition holds, with the words and the figures for it; `unknown` where nobody can say now. */
export type Verdict = { kind: 'holds' | 'clear'; message: string; value: number | null } | { kind: 'unknown' }

/** Holds a condition against an agent. `isActive` says whether it held before: then it ends only beyond its clear threshold. */
export function judge(condition: AlertCondition, subject: Subject, isActive: boolean, now: number): Verdict {
  // An agent that never came is not offline.
  if (subject.agent.registered_at === null) return clear('')
  if (condition.kind === 'state') return judgeState(condition.state, subject, now)
  const value = subject.agent.state === 'offline' ? undefined : figureOf(condition, subject, now)
  if (value === undefined) return { kind: 'unknown' }
  const { metric, operator, threshold, clear_threshold } = condition
  const limit = isActive ? (clear_threshold ?? threshold) : threshold
  const holds = operator === 'above' ? value > limit : value < limit
  const unit = alertMetrics[metric]
  const message = `${words[metric]}: ${rounded(value)}${unit} (${operator} ${threshold}${unit})`
  return { kind: holds ? 'holds' : 'clear', message, value: rounded(value) }
}

const words: Record<AlertMetric, string> = {
  cpu_percent: 'Processor',
  memory_percent: 'Memory',
  disk_percent: 'Disk',
  load_average_1m: 'Load',
  active_connections: 'Active connections',
  requests_per_second: 'Requests a second',
  server_error_percent: 'Requests answered with 5xx',
  response_time_p99_ms: 'Response time (p99)',
  log_lines_dropped: 'Log lines dropped',
  certificate_days_left: 'The certificate that ends first',
}

const longest = 500

function judgeState(
  state: Extract<AlertCondition, { kind: 'state' }>['state'],
  { agent, health, warnings, certificates }: Subject,
  now: number,
): Verdict {
  if (state === 'agent_offline')
    return agent.state === 'offline' ? holding(`Not heard of since ${agent.last_seen_at ?? 'it registered'}`) : clear('')
  if (state === 'certificate_expiring') return judgeEnd(firstToEnd(certificates), now)
  if (agent.state === 'offline') return { kind: 'unknown' }
  switch (state) {
    case 'nginx_down':
      // An agent that says so itself is believed, and is reason for one alert, not two.
      if (warnings.some(({ metric }) => metric === 'nginx_up')) return clear('')
      return health?.nginx_status === 'stopped' ? holding('nginx is not running') : clear('')
    case 'apply_failed': {
      const failed = agent.config_status === 'failed' || agent.config_status === 'rolled_back'
      return failed ? holding((agent.config_error || 'the config could not be applied').slice(0, longest)) : clear('')
    }
    case 'drift':
      return agent.drift === null ? clear('') : holding(agent.drift.slice(0, longest))
    default:
      return state satisfies never
  }
}

function firstToEnd(certificates: readonly ServedCertificate[]): ServedCertificate | undefined {
  return certificates.reduce<ServedCertificate | undefined>(
    (first, certificate) => (first && first.notAfter <= certificate.notAfter ? first : certificate),
    undefined,
  )
}

// Certificates that renew themselves are long renewed by the time that this is told.
function judgeEnd(certificate: ServedCertificate | undefined, now: number): Verdict {
  const [warns] = certificate ? warningTimes(certificate) : []
  if (!certificate || warns === undefined || now < warns) return clear('')
  const end = new Date(certificate.notAfter).toISOString()
  if (now >= certificate.notAfter) return holding(`Certificate "${certificate.name}" has ended on ${end}`)
  return holding(`Certificate "${certificate.name}" ends on ${end}`)
}

function figureOf(
  condition: Extract<AlertCondition, { kind: 'metric' }>,
  { health, rates, certificates }: Subject,
  now: number,
): number | undefined {
  const { metric, window_seconds, min_requests } = condition
  const served = rates.get(window_seconds)
  const enough = served && served.requests >= Math.max(min_requests, 1)
  switch (metric) {
    case 'server_error_percent':
      return enough ? (100 * served.server_errors) / served.requests : undefined
    case 'response_time_p99_ms':
      return enough ? (served.p99 ?? undefined) : undefined
    case 'log_lines_dropped':
      return served?.dropped
    case 'certificate_days_left': {
      const first = firstToEnd(certificates)
      return first && (first.notAfter - now) / 86_400_000
    }
    case 'memory_percent':
      return health ? share(health.memory_used_mb, health.memory_total_mb) : undefined
    case 'disk_percent':
      return health ? share(health.disk_used_mb, health.disk_total_mb) : undefined
    case 'cpu_percent':
    case 'load_average_1m':
    case 'active_connections':
    case 'requests_per_second':
      return health?.[metric]
    default:
      return metric satisfies never
  }
}

function share(used: number, total: number): number | undefined {
  return total > 0 ? (100 * used) / total : undefined
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}

function holding(message: string): Verdict {
  return { kind: 'holds', message, value: null }
}

function clear(message: string): Verdict {
  return { kind: 'clear', message, value: null }
}
