import type { Examples } from './example.ts'

const window = { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' }

/** The published contract's examples of metrics and access logs, as they stand there. */
export const telemetry = {
  getWorkspaceMetrics: {
    query: window,
    response: {
      requests_total: 1_234_567,
      requests_per_second: 150.5,
      error_rate: 0.001,
      active_connections: 42,
      bandwidth: { in_bytes: 1_073_741_824, out_bytes: 5_368_709_120 },
      status_codes: { '2xx': 1_230_000, '3xx': 4000, '4xx': 500, '5xx': 67 },
    },
  },
  getAgentMetrics: { query: window },
  listAccessLogs: {
    query: { ...window, status_code: '500', limit: '100' },
    response: {
      data: [
        {
          id: 'bb0e8400-e29b-41d4-a716-446655440008',
          agent_id: '770e8400-e29b-41d4-a716-446655440002',
          timestamp: '2026-03-02T10:30:00Z',
          remote_addr: '192.168.1.100',
          method: 'GET',
          uri: '/api/error',
          protocol: 'HTTP/1.1',
          host: 'api.example.com',
          status: 500,
          body_bytes_sent: 123,
          response_time_ms: 150.5,
          user_agent: 'Mozilla/5.0...',
          referer: 'https://example.com/',
          request_id: 'req-123-456',
        },
      ],
      meta: { total: 67, limit: 100 },
    },
  },
} satisfies Examples
