import type { Examples } from './example.ts'

const channel = {
  id: 'bb0e8400-e29b-41d4-a716-446655440020',
  workspace_id: '660e8400-e29b-41d4-a716-446655440001',
  kind: 'webhook' as const,
  name: 'On-call',
  enabled: true,
  events: ['health.alert', 'alert.resolved'],
  min_severity: 'warning' as const,
  url: 'https://hooks.example.com/nxmesh',
  former_secret_expires_at: null,
  failing_since: null,
  last_error: null,
  disabled_reason: null,
  created_at: '2026-02-15T14:30:00.000Z',
  updated_at: '2026-02-15T14:30:00.000Z',
}
const { kind, name, events, min_severity, url } = channel

const delivery = {
  id: 'cc0e8400-e29b-41d4-a716-446655440021',
  channel_id: channel.id,
  event_id: '01a21701-0c41-729b-abbb-dff39f236566',
  event_type: 'health.alert',
  event_at: '2026-03-02T12:00:00.000Z',
  state: 'delivered' as const,
  attempts: 1,
  last_attempt_at: '2026-03-02T12:00:00.120Z',
  next_attempt_at: null,
  status: 200,
  response: 'ok',
  error: null,
  duration_ms: 84,
  replay_of: null,
  created_at: '2026-03-02T12:00:00.030Z',
}

export const notificationExamples = {
  listNotificationChannels: { response: { data: [channel], meta: { page: 1, per_page: 20, total: 1 } } },
  createNotificationChannel: { body: { kind, name, events, min_severity, url }, response: channel },
  updateNotificationChannel: { body: { min_severity: 'error', secret: null } },
  listNotificationDeliveries: { query: { state: 'failed' }, response: { data: [delivery], meta: { page: 1, per_page: 20, total: 1 } } },
  testNotificationChannel: { response: delivery },
  replayNotificationDelivery: { response: { ...delivery, state: 'pending', attempts: 0, replay_of: delivery.id } },
} satisfies Examples
