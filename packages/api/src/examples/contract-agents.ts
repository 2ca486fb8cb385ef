import type { Examples } from './example.ts'

const agent = {
  id: '770e8400-e29b-41d4-a716-446655440002',
  workspace_id: '660e8400-e29b-41d4-a716-446655440001',
  name: 'web-server-01',
  hostname: 'web-01.internal',
  ip_address: '10.0.1.10',
  version: '0.1.0',
  state: 'online',
  deployment_mode: 'docker_sidecar',
  last_seen_at: '2026-03-02T12:00:00Z',
  capabilities: ['http2', 'websocket'],
  labels: { env: 'production', region: 'us-east-1' },
}

/** The published contract's examples of agents, as they stand there. */
export const agents = {
  listAgents: {
    query: { page: '1', per_page: '20', state: 'online' },
    response: { data: [{ ...agent, created_at: '2026-02-01T10:00:00Z' }], meta: { page: 1, per_page: 20, total: 5 } },
  },
  getAgent: {
    response: {
      ...agent,
      health: {
        nginx_status: 'running',
        nginx_uptime_seconds: 86_400,
        active_connections: 42,
        requests_per_second: 150.5,
        cpu_percent: 25,
        memory_used_mb: 512,
        config_version: 42,
      },
      created_at: '2026-02-01T10:00:00Z',
    },
  },
  createAgentToken: {
    body: { name: 'web-server-02', labels: { env: 'production', region: 'us-west-1' }, expires_in_hours: 24 },
    response: {
      token: 'nxmesh_agent_eyJhZ2VudF9pZCI6ICI3NzBlODQwMC1lMjliLTQxZDQtYTcxNi00NDY2NTU0NDAwMDMi...',
      agent_id: '770e8400-e29b-41d4-a716-446655440003',
      expires_at: '2026-03-03T12:00:00Z',
    },
  },
  updateAgent: { body: { name: 'web-server-01-renamed', labels: { env: 'production', region: 'us-east-1', tier: 'web' } } },
  deleteAgent: {},
  reloadAgent: { response: { success: true, message: 'Nginx reloaded successfully', timestamp: '2026-03-02T12:05:00Z' } },
} satisfies Examples
