import type { EventData, EventEnvelope, EventType } from '../events.ts'

const agent_id = '770e8400-e29b-41d4-a716-446655440002'
const host = { virtual_host_id: '880e8400-e29b-41d4-a716-446655440004', name: 'Main Website', version: 42 }
const streamHost = { stream_host_id: 'bb0e8400-e29b-41d4-a716-446655440007', name: 'Database', version: 42 }
const upstream = { upstream_id: 'aa0e8400-e29b-41d4-a716-446655440006', name: 'api-backend', version: 42 }
const certificate = { certificate_id: '990e8400-e29b-41d4-a716-446655440005', name: 'example.com' }
const server = { agent_id, upstream_id: upstream.upstream_id, address: '10.0.1.20:8080' }
const alert = { alert_id: 'alert-456', severity: 'warning', message: 'High CPU usage: 85%' }
const named = { agent_id, name: 'web-server-01' }

/** What events carry. Where the published contract shows a type, it is the contract's own example. */
export const eventExamples: { [T in EventType]: EventData<T> } = {
  'agent.connected': { agent_id, hostname: 'web-01.internal', ip_address: '10.0.1.10' },
  'agent.disconnected': { agent_id, reason: 'connection_timeout' },
  'agent.online': { agent_id },
  'agent.degraded': { agent_id, reason: 'nginx is not running' },
  'agent.drifted': { agent_id, message: 'files differ from what the agent wrote: http.conf' },
  'agent.created': named,
  'agent.updated': { ...named, labels: { env: 'production', region: 'us-east-1' } },
  'agent.deleted': named,
  'config.applied': { agent_id, config_id: 'config-123', version: 42, duration_ms: 150, success: true },
  'health.alert': { agent_id, ...alert, metric: 'cpu_percent', value: 85 },
  'alert.acknowledged': { agent_id, ...alert, acknowledged_by: 'user@example.com' },
  'alert.resolved': { agent_id, ...alert, metric: 'cpu_percent', value: 40 },
  'virtual_host.created': host,
  'virtual_host.updated': host,
  'virtual_host.deleted': host,
  'stream_host.created': streamHost,
  'stream_host.updated': streamHost,
  'stream_host.deleted': streamHost,
  'upstream.created': upstream,
  'upstream.updated': upstream,
  'upstream.deleted': upstream,
  'upstream.server_down': { ...server, error: 'status 503' },
  'upstream.server_up': server,
  'certificate.created': { ...certificate, version: 42 },
  'certificate.updated': { ...certificate, version: 42 },
  'certificate.deleted': { ...certificate, version: 42 },
  'certificate.issued': { ...certificate, names: ['example.com'], expires_at: '2026-05-31T12:00:00.000Z', renewed: true },
  'certificate.failed': {
    ...certificate,
    error: 'The CA could not connect to the name: timeout.',
    fix: 'Open port 80 to the agents, look at firewalls and at AAAA records that lead elsewhere, or use dns-01.',
    retries_at: '2026-03-02T12:05:00.000Z',
  },
  'certificate.expiring': { ...certificate, expires_at: '2026-03-23T12:00:00.000Z', days_left: 21 },
  'certificate.expired': { ...certificate, expires_at: '2026-03-02T12:00:00.000Z' },
  'certificate.revoked': { ...certificate, reason: 'key_compromise' },
  'settings.updated': { version: 42 },
  'revision.created': { version: 42, author: 'user@example.com', reason: 'changed upstream "api-backend"', changes: 1 },
}

/** An event of a type, whole. */
export function eventExample(type: EventType): EventEnvelope {
  return {
    id: '01a21701-0c41-729b-abbb-dff39f236566',
    type,
    timestamp: '2026-03-02T12:00:00.000Z',
    workspace_id: '660e8400-e29b-41d4-a716-446655440001',
    data: eventExamples[type],
  }
}
