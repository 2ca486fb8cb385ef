import type { DisconnectReason, EventData, EventType } from '@nxmesh/api/events'
import type { ServerHealth } from '@nxmesh/model/server-health'
import { causeOf } from '@nxmesh/nginx/message-cause'
import type { AgentRow, ApplyRow } from './db/schema.ts'
import { configIdOf } from './rollout/desired.ts'
import { serversIn } from './upstream-health.ts'

/** Something that an agent warned of, as its row keeps it. */
export type AgentAlert = Omit<EventData<'health.alert'>, 'agent_id'>

/** The facts whose changes are told. */
export const toldColumns = ['connected', 'hostname', 'ip_address', 'state', 'state_reason', 'drift', 'alerts', 'health'] as const
export type ToldFacts = Pick<AgentRow, 'id' | 'workspace_id' | (typeof toldColumns)[number]>

/** What a row does not say about a change of its connection. */
export interface Connection {
  /** A stream began with this change, perhaps in the place of another. */
  began?: boolean
  ended?: DisconnectReason
}

type AgentEvent = { [T in EventType]: { type: T; data: EventData<T> } }[EventType]

/** What to tell of an agent whose row was one thing before a transaction and is another after it. */
export function agentEvents(before: ToldFacts, after: ToldFacts, { began = false, ended = 'connection_lost' }: Connection): AgentEvent[] {
  const agent_id = after.id
  const events: AgentEvent[] = []
  if (before.connected === 1 && (began || after.connected === 0)) {
    events.push({ type: 'agent.disconnected', data: { agent_id, reason: began ? 'replaced' : ended } })
  }
  if (after.connected === 1 && (began || before.connected === 0)) {
    const { hostname, ip_address } = after
    events.push({ type: 'agent.connected', data: { agent_id, hostname, ip_address } })
  }
  if (after.drift !== null && before.drift === null) events.push({ type: 'agent.drifted', data: { agent_id, message: after.drift } })
  if (after.state !== before.state || after.state_reason !== before.state_reason) {
    if (after.state === 'online') events.push({ type: 'agent.online', data: { agent_id } })
    if (after.state === 'degraded') events.push({ type: 'agent.degraded', data: { agent_id, reason: after.state_reason ?? '' } })
  }
  return [...events, ...serverEvents(before, after), ...newAlerts(before, after)]
}

/** What to tell of an attempt to apply a config. */
export function applyEvent(workspaceId: string, { agent_id, version, duration_ms, error }: ApplyRow): AgentEvent {
  const data = { agent_id, config_id: configIdOf(workspaceId, version), version, duration_ms, success: error === null }
  return { type: 'config.applied', data: error === null ? data : { ...data, error, ...causeOf(error) } }
}

/** Whether two reports warn of the same, whatever their figures are. */
export function warnsOfSame(one: string, other: string): boolean {
  return one === other || namesOf(one) === namesOf(other)
}

/** Whether two reports find the same servers down. */
export function findsSameDown(one: string | null, other: string | null): boolean {
  if (one === other) return true
  const downs = [one, other].map((health) => [...downIn(health).keys()].sort().join())
  return downs[0] === downs[1]
}

function serverEvents({ health: before }: ToldFacts, { id: agent_id, health: after }: ToldFacts): AgentEvent[] {
  if (before === after) return []
  const [wereDown, areDown] = [downIn(before), downIn(after)]
  const passed = (after === null ? [] : serversIn({ health: after, state: 'online' })).filter(
    (server) => server.state === 'up' && wereDown.has(serverKey(server)),
  )
  return [
    ...[...areDown]
      .filter(([key]) => !wereDown.has(key))
      .map(([, { upstream_id, address, last_error }]): AgentEvent => {
        return { type: 'upstream.server_down', data: { agent_id, upstream_id, address, error: last_error ?? '' } }
      }),
    ...passed.map(({ upstream_id, address }): AgentEvent => ({ type: 'upstream.server_up', data: { agent_id, upstream_id, address } })),
  ]
}

function downIn(health: string | null): Map<string, ServerHealth> {
  // Most reports find none, and need not be read for it.
  if (!health?.includes('"down"')) return new Map()
  const down = serversIn({ health, state: 'online' }).filter(({ state }) => state === 'down')
  return new Map(down.map((server) => [serverKey(server), server]))
}

function serverKey({ upstream_id, address }: Pick<ServerHealth, 'upstream_id' | 'address'>): string {
  return `${upstream_id} ${address}`
}

function newAlerts(before: ToldFacts, after: ToldFacts): AgentEvent[] {
  if (before.alerts === after.alerts) return []
  const known = new Map(read(before.alerts).map((alert) => [alert.alert_id, alert.severity]))
  return read(after.alerts)
    .filter((alert) => known.get(alert.alert_id) !== alert.severity)
    .map((alert) => ({ type: 'health.alert', data: { agent_id: after.id, ...alert } }))
}

function namesOf(alerts: string): string {
  const names = read(alerts).map(({ alert_id, severity }) => [alert_id, severity])
  return JSON.stringify(names.sort(([a], [b]) => (a! < b! ? -1 : 1)))
}

function read(alerts: string): AgentAlert[] {
  return JSON.parse(alerts) as AgentAlert[]
}
