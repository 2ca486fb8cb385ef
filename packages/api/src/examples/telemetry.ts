import type { Examples } from './example.ts'

const response_time_ms = { p50: 12, p90: 80, p99: 240.5 }

export const telemetryExamples = {
  getWorkspaceMetrics: { response: { response_time_ms } },
  listAccessLogs: {
    response: {
      data: [
        {
          virtual_host_id: '880e8400-e29b-41d4-a716-446655440004',
          upstream_addr: '10.0.1.20:8080',
          upstream_status: '500',
          request_bytes: 412,
          bytes_sent: 380,
        },
      ],
    },
  },
  topAccessLogs: {
    query: { by: 'uri', status_code: '5xx' },
    response: {
      data: [{ value: '/api/error', requests: 67, body_bytes_sent: 8241, server_errors: 67, response_time_ms: 150.5 }],
      meta: { total: 67, limit: 10 },
    },
  },
  listErrorLogs: {
    query: { level: 'error' },
    response: {
      data: [
        {
          id: 'bb0e8400-e29b-41d4-a716-446655440009',
          agent_id: '770e8400-e29b-41d4-a716-446655440002',
          timestamp: '2026-03-02T10:30:00Z',
          level: 'error',
          message: 'connect() failed (111: Connection refused) while connecting to upstream',
        },
      ],
      meta: { total: 1, limit: 100 },
    },
  },
} satisfies Examples
