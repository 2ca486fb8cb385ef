import type { EventData } from '@nxmesh/api/events'
import type { AlertRow } from '../db/schema-events.ts'

const fromAgent = 'agent:'

/** What an alert comes from: a rule, or the agent under a name of its own. */
export function ruleSource(ruleId: string): string {
  return `rule:${ruleId}`
}

export function agentSource(alertId: string): string {
  return `${fromAgent}${alertId}`
}

/** What the agent calls an alert; null for one of a rule. */
export function agentAlertOf({ source }: Pick<AlertRow, 'source'>): string | null {
  return source.startsWith(fromAgent) ? source.slice(fromAgent.length) : null
}

/** What is told of an alert that ended. */
export function resolvedEvent(row: AlertRow, value = row.value): EventData<'alert.resolved'> {
  const { id, agent_id, severity, message, metric } = row
  return { agent_id, alert_id: agentAlertOf(row) ?? id, severity, message, metric: metric ?? '', value: value ?? 0 }
}
