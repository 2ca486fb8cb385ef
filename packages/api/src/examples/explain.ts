import type { Examples } from './example.ts'

const host = { kind: 'virtual_host', id: '990e8400-e29b-41d4-a716-446655440004', name: 'API Gateway' } as const
const at = (line: number, directive: string, field: string) => ({ file: 'http.conf', line, directive, ...host, field })
const upstream = { kind: 'upstream', id: 'aa0e8400-e29b-41d4-a716-446655440006', name: 'api-backend' } as const

export const explainExamples = {
  explainRequest: {
    body: {
      agent_id: '770e8400-e29b-41d4-a716-446655440002',
      method: 'GET',
      scheme: 'http',
      host: 'api.example.com',
      path: '/api/v1/users?page=2',
      headers: { accept: 'application/json' },
      source_address: '203.0.113.7',
    },
    response: {
      outcome: {
        kind: 'proxy',
        directive: 'proxy_pass',
        method: 'GET',
        url: 'http://nxmesh_api-backend_446655440006/api/v1/users?page=2',
        uri: '/api/v1/users?page=2',
        upstream: 'nxmesh_api-backend_446655440006',
        balancing: 'least_conn',
        servers: [
          {
            address: '10.0.1.20:8080',
            weight: 1,
            backup: false,
            down: false,
            place: { file: 'http.conf', line: 96, directive: 'server', ...upstream, field: 'servers.0' },
          },
        ],
        http_version: '1.1',
        headers: [
          {
            name: 'Host',
            value: 'api.example.com',
            from: 'directive',
            only_if_status: false,
            place: at(112, 'proxy_set_header', 'locations.0'),
          },
        ],
        status_kept: null,
        place: at(118, 'proxy_pass', 'locations.0.upstream_id'),
      },
      server: {
        names: ['api.example.com'],
        address: '*:80',
        reason: 'exact_name',
        matched: 'api.example.com',
        place: at(105, 'server', 'server_name'),
      },
      location: { path: '/api/v1', reason: 'longest_prefix', place: at(117, 'location', 'locations.0.path') },
      steps: [
        { kind: 'server', message: 'the server has the name "api.example.com"', place: at(107, 'server_name', 'server_name') },
        {
          kind: 'location',
          message: '"/api/v1/users" is in "location /api/v1": the longest prefix, and no regular expression matches',
          place: at(117, 'location', 'locations.0.path'),
        },
      ],
      stopped_by: null,
      response_headers: [],
      cautions: [],
      assumptions: [],
    },
  },
} satisfies Examples
