import type { EventType } from '@nxmesh/api/events'
import type { ChannelKind, NotificationDelivery } from '@nxmesh/model/notification-channel'
import type { Severity } from '@nxmesh/model/severity'
import type { Selectable } from 'kysely'

/** What happened, in the order of commits, for those who listen. The oldest go. */
export interface Events {
  /** Without gaps: a number is only seen together with all below it that are kept. */
  seq: number
  /** By which a listener resumes. */
  id: string
  organization_id: string
  workspace_id: string
  type: EventType
  at: string
  data: string
}

export interface EventCounter {
  name: string
  last: number
}

export interface AlertRules {
  id: string
  workspace_id: string
  name: string
  enabled: number
  severity: Severity
  /** As AlertCondition. */
  condition: string
  for_seconds: number
  label_selector: string
  revision: number
  created_at: string
  updated_at: string
}

export interface Alerts {
  id: string
  workspace_id: string
  agent_id: string
  rule_id: string | null
  /** What it came from: `rule:ID`, or `agent:NAME` for what the agent itself warns of. An agent has one active row of each. */
  source: string
  name: string
  severity: Severity
  message: string
  metric: string | null
  value: number | null
  threshold: number | null
  /** 1 while its reason holds, also after somebody has resolved it. */
  active: number
  opened_at: string
  updated_at: string
  acknowledged_at: string | null
  acknowledged_by: string | null
  resolved_at: string | null
  resolved_by: string | null
}

/** A condition that holds, and has to hold longer before there is an alert. */
export interface AlertWaits {
  agent_id: string
  rule_id: string
  since: string
}

export interface NotificationChannels {
  id: string
  workspace_id: string
  name: string
  kind: ChannelKind
  enabled: number
  /** Patterns of types of events, as JSON. */
  events: string
  min_severity: Severity
  /** Where it leads, as ChannelTarget with its secrets, encrypted. */
  target: string
  /** It is told of what comes after this number. */
  begins_after: number
  failing_since: string | null
  last_error: string | null
  disabled_reason: string | null
  created_at: string
  updated_at: string
  /** Raised by one with each change of what people say about it. */
  revision: number
}

export interface NotificationDeliveries {
  id: string
  channel_id: string
  workspace_id: string
  event_id: string
  event_type: string
  event_at: string
  /** The event as it is sent. It may be let go before this is. */
  body: string
  state: NotificationDelivery['state']
  /** Raised by whoever is about to try, which makes the attempt theirs. */
  attempts: number
  last_attempt_at: string | null
  /** By the database's clock. While somebody tries: when others may believe that they are gone. */
  next_attempt_at: string | null
  status: number | null
  response: string | null
  error: string | null
  duration_ms: number | null
  replay_of: string | null
  created_at: string
}

export type AlertRuleRow = Selectable<AlertRules>
export type AlertRow = Selectable<Alerts>
export type AlertWaitRow = Selectable<AlertWaits>
export type ChannelRow = Selectable<NotificationChannels>
export type DeliveryRow = Selectable<NotificationDeliveries>
export type EventRow = Selectable<Events>
