import type { AgentAlert } from '../agent-events.ts'
import type { AlertRow, AlertRuleRow } from '../db/schema-events.ts'
import { judge, type Subject } from './judge.ts'
import type { Rule } from './reconcile.ts'
import { agentAlertOf, agentSource, ruleSource } from './row.ts'

/** What has to change about the alerts of one agent. */
export type Transition =
  | ({ kind: 'open'; source: string; rule_id: string | null } & Pick<
      AlertRow,
      'name' | 'severity' | 'message' | 'metric' | 'value' | 'threshold'
    >)
  | { kind: 'update'; row: AlertRow; changes: Partial<Pick<AlertRow, 'severity' | 'message' | 'value'>> }
  | { kind: 'end'; row: AlertRow; value: number | null }
  | { kind: 'wait'; rule_id: string }
  | { kind: 'stop waiting'; rule_id: string }

interface Place {
  subject: Subject
  /** The rules that are meant for the agent. */
  rules: readonly Rule[]
  /** The alerts of the agent whose reason held when it was last looked at. */
  active: readonly AlertRow[]
  /** Since when the conditions of rules have held that have not held long enough yet. */
  waiting: Waiting
}

/** By the id of the rule, in milliseconds since the epoch. */
export type Waiting = ReadonlyMap<string, number>

const severities = new Set<string>(['info', 'warning', 'error', 'critical'])
// A figure that changes all the time is written this often.
const refreshAfter = 60_000
// What a master finds when it starts is what the one before it knew: agents need this long to come and to report.
const graceMs = 30_000

/** What rules and an agent's own warnings make of its alerts now; `begun` is when this master began to judge. */
export function transitionsOf({ subject, rules, active, waiting }: Place, now: number, begun: number): Transition[] {
  const transitions: Transition[] = []
  const waits = new Set<string>()
  const bySource = new Map(active.map((row) => [row.source, row]))
  const stays = new Set<string>()
  for (const { row: rule, condition } of rules) {
    const source = ruleSource(rule.id)
    const known = bySource.get(source)
    const verdict = judge(condition, subject, known !== undefined, now)
    if (verdict.kind === 'unknown') {
      stays.add(source)
      waits.add(rule.id)
      continue
    }
    const { kind, message, value } = verdict
    if (kind === 'clear') {
      if (known) transitions.push({ kind: 'end', row: known, value })
      continue
    }
    stays.add(source)
    if (known) {
      transitions.push(...update(known, { severity: rule.severity, message, value }, now))
      continue
    }
    const since = waiting.get(rule.id)
    const wait = rule.for_seconds * 1000
    if (now - (since ?? now) < wait || now - begun < Math.min(wait, graceMs)) {
      waits.add(rule.id)
      if (since === undefined) transitions.push({ kind: 'wait', rule_id: rule.id })
      continue
    }
    transitions.push({ kind: 'open', source, rule_id: rule.id, ...factsOf(rule, condition), message, value })
  }
  for (const rule_id of waiting.keys()) if (!waits.has(rule_id)) transitions.push({ kind: 'stop waiting', rule_id })
  for (const warning of subject.warnings) {
    const source = agentSource(warning.alert_id)
    if (stays.has(source)) continue
    stays.add(source)
    const known = bySource.get(source)
    const { severity, message, value } = ownFacts(warning)
    if (known) transitions.push(...update(known, { severity, message, value }, now))
    else transitions.push({ kind: 'open', source, rule_id: null, name: warning.alert_id, threshold: null, ...ownFacts(warning) })
  }
  for (const row of active) {
    // Nobody knows what an agent that is offline would warn of now.
    if (agentAlertOf(row) !== null && subject.agent.state === 'offline') continue
    const isJudged = rules.some(({ row: { id } }) => ruleSource(id) === row.source)
    if (!stays.has(row.source) && !isJudged) transitions.push({ kind: 'end', row, value: row.value })
  }
  return transitions
}

function factsOf({ name, severity }: AlertRuleRow, condition: Rule['condition']) {
  const isMetric = condition.kind === 'metric'
  return { name, severity, metric: isMetric ? condition.metric : null, threshold: isMetric ? condition.threshold : null }
}

function ownFacts({ severity, message, metric, value }: AgentAlert): Pick<AlertRow, 'severity' | 'message' | 'metric' | 'value'> {
  return {
    severity: severities.has(severity) ? (severity as AlertRow['severity']) : 'warning',
    message,
    metric: metric === '' ? null : metric,
    value: metric === '' ? null : value,
  }
}

function update(row: AlertRow, now: Pick<AlertRow, 'severity' | 'message' | 'value'>, at: number): Transition[] {
  const isSame = now.severity === row.severity && now.message === row.message && now.value === row.value
  if (isSame || (now.severity === row.severity && at - Date.parse(row.updated_at) < refreshAfter)) return []
  return [{ kind: 'update', row, changes: now }]
}
