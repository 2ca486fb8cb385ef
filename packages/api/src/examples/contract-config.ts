import type { Examples } from './example.ts'

const firstPage = { page: '1', per_page: '20' }
const moments = { created_at: '2026-02-01T10:00:00Z', updated_at: '2026-02-15T14:30:00Z' }

/** The published contract's examples of virtual hosts and upstreams, as they stand there. */
export const config = {
  listVirtualHosts: {
    query: firstPage,
    response: {
      data: [
        {
          id: '880e8400-e29b-41d4-a716-446655440004',
          workspace_id: '660e8400-e29b-41d4-a716-446655440001',
          name: 'Main Website',
          server_name: 'example.com www.example.com',
          listen_port: 443,
          ssl_enabled: true,
          ssl_certificate_id: '990e8400-e29b-41d4-a716-446655440005',
          http2_enabled: true,
          target_agents: { type: 'all' },
          ...moments,
        },
      ],
      meta: { page: 1, per_page: 20, total: 10 },
    },
  },
  createVirtualHost: {
    body: {
      name: 'API Gateway',
      server_name: 'api.example.com',
      listen_port: 443,
      ssl_enabled: true,
      ssl_certificate_id: '990e8400-e29b-41d4-a716-446655440005',
      http2_enabled: true,
      locations: [
        {
          path: '/api/v1',
          upstream_id: 'aa0e8400-e29b-41d4-a716-446655440006',
          custom_headers: [{ name: 'X-Forwarded-Proto', value: '$scheme' }],
        },
        { path: '/health', proxy_pass: 'http://localhost:8080/health' },
      ],
      target_agents: { type: 'selector', label_selector: 'env=production' },
    },
  },
  getVirtualHost: {},
  updateVirtualHost: {
    body: { name: 'API Gateway v2', locations: [{ path: '/api/v2', upstream_id: 'aa0e8400-e29b-41d4-a716-446655440007' }] },
  },
  deleteVirtualHost: {},

  listUpstreams: {
    query: firstPage,
    response: {
      data: [
        {
          id: 'aa0e8400-e29b-41d4-a716-446655440006',
          workspace_id: '660e8400-e29b-41d4-a716-446655440001',
          name: 'api-backend',
          algorithm: 'round_robin',
          servers: [
            { address: '10.0.1.20:8080', weight: 1, backup: false, max_fails: 3, fail_timeout: 30 },
            { address: '10.0.1.21:8080', weight: 1, backup: false, max_fails: 3, fail_timeout: 30 },
          ],
          health_check: { enabled: true, path: '/health', interval: 10, timeout: 5 },
          ...moments,
        },
      ],
      meta: { page: 1, per_page: 20, total: 5 },
    },
  },
  createUpstream: {
    body: {
      name: 'web-backend',
      algorithm: 'least_connections',
      servers: [
        { address: '10.0.1.30:8080', weight: 2, backup: false },
        { address: '10.0.1.31:8080', weight: 1, backup: false },
        { address: '10.0.1.32:8080', weight: 1, backup: true },
      ],
      health_check: { enabled: true, path: '/health', interval: 10, timeout: 5 },
    },
  },
  getUpstream: {},
  updateUpstream: { body: { servers: [{ address: '10.0.1.30:8080', weight: 3, backup: false }] } },
  deleteUpstream: {},
} satisfies Examples
