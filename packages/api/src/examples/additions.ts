import type { Examples } from './example.ts'

const fact = { version: 42, digest: 'b7c2…' }

/** What this API answers beyond the contract's examples: laid over their responses, so that the document shows whole answers. */
export const additions = {
  listWorkspaces: { response: { data: [{ config_version: 42, updated_at: '2026-01-15T10:30:00Z' }] } },
  getAgent: {
    response: {
      state_reason: null,
      health: {
        memory_total_mb: 2048,
        disk_used_mb: 9000,
        disk_total_mb: 20_000,
        load_average_1m: 0.3,
        nginx_pid: 812,
        total_requests: 1_234_567,
        nginx_version: '1.22.1',
        nginx_installed_version: '1.22.1',
        workers: 2,
        workers_shutting_down: 0,
        drifted: false,
      },
      config: { desired: fact, sent: fact, applied: fact, serving: fact, status: 'success', error: null, findings: [] },
    },
  },
  listVirtualHosts: {
    response: {
      data: [
        {
          http3_enabled: false,
          locations: [
            {
              path: '/',
              upstream_id: 'aa0e8400-e29b-41d4-a716-446655440006',
              custom_headers: [],
              rewrite_rules: [],
              custom_directives: {},
            },
          ],
          custom_directives: {},
        },
      ],
    },
  },
  listUpstreams: {
    response: {
      data: [
        {
          servers: [{ down: false }, { down: false }],
          health_check: { healthy_threshold: 2, unhealthy_threshold: 3 },
          keepalive_connections: 0,
        },
      ],
    },
  },
  validateAgent: { body: { config_content: 'events {}\nhttp {\n  server {\n    listen 8081;\n  }\n}\n' } },
  stopAgent: { body: { graceful: true, timeout_seconds: 30 } },
  restartAgent: { body: { force: false } },
  updateSettings: { body: { nginx_directives: { client_max_body_size: '10m' }, env_vars: { TZ: 'UTC' } } },
  getSettings: { response: { nginx_directives: { client_max_body_size: '10m' }, env_vars: { TZ: 'UTC' } } },
} satisfies Examples
