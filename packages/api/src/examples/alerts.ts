import type { Examples } from './example.ts'

const ids = { id: '01a21701-0c41-729b-abbb-dff39f236566', workspace_id: '660e8400-e29b-41d4-a716-446655440001' }
const condition = {
  kind: 'metric',
  metric: 'cpu_percent',
  operator: 'above',
  threshold: 90,
  clear_threshold: 80,
  window_seconds: 300,
  min_requests: 0,
} as const
const input = {
  name: 'Processor',
  enabled: true,
  severity: 'warning',
  condition,
  for_seconds: 600,
  label_selector: 'env=production',
} as const
const times = { created_at: '2026-01-15T10:30:00Z', updated_at: '2026-01-15T10:30:00Z' }

const alert = {
  ...ids,
  agent_id: '770e8400-e29b-41d4-a716-446655440002',
  rule_id: '01a21701-0c41-729b-abbb-dff39f236567',
  agent_alert_id: null,
  name: 'Processor',
  severity: 'warning',
  state: 'acknowledged',
  message: 'Processor: 93.5% (above 90%)',
  metric: 'cpu_percent',
  value: 93.5,
  threshold: 90,
  opened_at: '2026-03-02T12:15:00Z',
  updated_at: '2026-03-02T12:16:00Z',
  acknowledged_at: '2026-03-02T12:17:00Z',
  acknowledged_by: 'user@example.com',
  resolved_at: null,
  resolved_by: null,
}

export const alertExamples = {
  createAlertRule: { body: input, response: { ...ids, ...input, ...times } },
  updateAlertRule: { body: { for_seconds: 300, condition: { threshold: 95 } } },
  getAlert: { response: alert },
} satisfies Examples
