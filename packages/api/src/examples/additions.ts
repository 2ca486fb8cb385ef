import { agentFilesExamples } from './agent-files.ts'
import { alertExamples } from './alerts.ts'
import { certificateExamples } from './certificates.ts'
import type { Examples } from './example.ts'
import { explainExamples } from './explain.ts'
import { identity } from './identity.ts'
import { notificationExamples } from './notifications.ts'
import { telemetryExamples } from './telemetry.ts'

const fact = { version: 42, digest: 'b7c2…' }

const changes = [{ kind: 'upstream', id: 'aa0e8400-e29b-41d4-a716-446655440006', name: 'api-backend', action: 'changed' }]
const revision = {
  version: 42,
  author: 'user@example.com',
  created_at: '2026-02-15T14:30:00Z',
  reason: 'moves to the new backend',
  changes,
}

const sickServer = {
  address: '10.0.1.20:8080',
  state: 'down',
  in_rotation: false,
  since: '2026-03-02T11:58:20.000Z',
  last_error: 'no answer within 5 s',
  checks_passed: 8640,
  checks_failed: 12,
}

/** What this API answers beyond the contract's examples: laid over their responses, so that the document shows whole answers. */
export const additions = {
  ...alertExamples,
  ...certificateExamples,
  listWorkspaces: { response: { data: [{ config_version: 42, updated_at: '2026-01-15T10:30:00Z', lua_allowed: false }] } },
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
        upstream_servers: [{ upstream_id: 'aa0e8400-e29b-41d4-a716-446655440006', ...sickServer }],
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
  getUpstreamHealth: {
    response: {
      data: [
        {
          agent_id: '770e8400-e29b-41d4-a716-446655440002',
          agent_name: 'web-server-01',
          agent_state: 'online',
          reported_at: '2026-03-02T12:00:00.000Z',
          servers: [sickServer],
        },
      ],
      meta: { page: 1, per_page: 20, total: 1 },
    },
  },
  listFindings: {
    query: { severity: 'error' },
    response: {
      data: [
        {
          severity: 'error',
          code: 'alias_traversal',
          object: { kind: 'virtual_host', id: '880e8400-e29b-41d4-a716-446655440004', name: 'Main Website' },
          field: 'locations.0.custom_directives.alias',
          reason: 'a request for "/files../" reads files beside "/srv/files/": the location ends without "/", the alias with one',
          fix: 'end the location with "/" as well: "/files/"',
          source: 'https://github.com/yandex/gixy/blob/master/docs/en/plugins/aliastraversal.md',
          found_by: 'lint',
          agents: 1,
          agent_ids: ['770e8400-e29b-41d4-a716-446655440002'],
        },
      ],
      meta: { page: 1, per_page: 20, total: 1 },
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
  ...identity,
  ...agentFilesExamples,
  ...explainExamples,
  ...telemetryExamples,
  ...notificationExamples,
  validateAgent: { body: { config_content: 'events {}\nhttp {\n  server {\n    listen 8081;\n  }\n}\n' } },
  stopAgent: { body: { graceful: true, timeout_seconds: 30 } },
  restartAgent: { body: { force: false } },
  updateSettings: { body: { nginx_directives: { client_max_body_size: '10m' }, env_vars: { TZ: 'UTC' } } },
  getSettings: { response: { nginx_directives: { client_max_body_size: '10m' }, env_vars: { TZ: 'UTC' } } },
  listRevisions: { response: { data: [revision], meta: { page: 1, per_page: 20, total: 42 } } },
  diffRevision: {
    query: { against: '41' },
    response: {
      from: 41,
      to: 42,
      added: [],
      removed: [],
      changed: [
        {
          kind: 'upstream',
          id: 'aa0e8400-e29b-41d4-a716-446655440006',
          name: 'api-backend',
          fields: [{ field: 'servers.0.address', before: '10.0.1.20:8080', after: '10.0.1.30:8080' }],
        },
      ],
    },
  },
  importWorkspace: {
    body: {
      files: {
        'nginx.conf': 'events {} http { access_log off; include conf.d/*.conf; }',
        'conf.d/api.conf': 'server { listen 8080; server_name api.example.com; location / { return 404; } }',
      },
      main: 'nginx.conf',
      certificates: {},
      dry_run: true,
    },
    response: {
      dry_run: true,
      version: 42,
      virtual_hosts: [
        {
          id: '880e8400-e29b-41d4-a716-446655440004',
          workspace_id: '660e8400-e29b-41d4-a716-446655440001',
          name: 'api.example.com',
          server_name: 'api.example.com _',
          listen_port: 8080,
          ssl_enabled: false,
          ssl_certificate_id: null,
          http2_enabled: false,
          http3_enabled: false,
          locations: [{ path: '/', custom_headers: [], rewrite_rules: [], custom_directives: { return: '404' } }],
          custom_directives: {},
          target_agents: { type: 'all' },
          created_at: '2026-02-15T14:30:00Z',
          updated_at: '2026-02-15T14:30:00Z',
        },
      ],
      stream_hosts: [],
      upstreams: [],
      settings: { nginx_directives: {}, env_vars: {} },
      certificates: [
        { path: '/etc/ssl/api.pem', server_names: ['api.example.com'], certificate_id: '990e8400-e29b-41d4-a716-446655440005' },
      ],
      equal: false,
      differences: [{ context: 'http', change: 'added', directive: 'server_tokens off' }],
      problems: [
        { file: '/etc/nginx/nginx.conf', line: 3, column: 5, code: 'MISSING_FILE', message: 'there is no file "/etc/nginx/mime.types"' },
      ],
      lines: [
        {
          file: '/etc/nginx/conf.d/api.conf',
          line: 1,
          column: 23,
          directive: 'server_name api.example.com',
          outcome: 'imported',
          object: { kind: 'virtual_host', name: 'api.example.com' },
          field: 'server_name',
        },
      ],
    },
  },
  rollbackWorkspace: {
    body: { version: 41, reason: 'the new backend is slow' },
    response: { changed: true, version: 43, message: 'version 43 has the content of version 41', changes },
  },
  listWorkspaceAudit: {
    query: { action: 'upstream.update', from: '2026-02-15T00:00:00Z' },
    response: {
      data: [
        {
          id: '019c6c1c-0a40-7bbb-8d3b-3f1b7e5d2c11',
          at: '2026-02-15T14:30:00.000Z',
          organization_id: '550e8400-e29b-41d4-a716-446655440000',
          workspace_id: '660e8400-e29b-41d4-a716-446655440001',
          actor: { kind: 'user', id: '019c6c1c-0a40-7bbb-8d3b-3f1b7e5d2c12', name: 'user@example.com', token: null },
          address: '192.0.2.7',
          request_id: 'req-abc-123',
          action: 'upstream.update',
          object: { kind: 'upstream', id: 'aa0e8400-e29b-41d4-a716-446655440006', name: 'api-backend' },
          reason: 'moves to the new backend',
          before: { algorithm: 'round_robin' },
          after: { algorithm: 'least_connections' },
        },
      ],
      meta: { page: 1, per_page: 20, total: 1 },
    },
  },
} satisfies Examples
