import type { Examples } from './example.ts'

const file = {
  path: 'http.conf',
  mode: '0644',
  sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  content: 'upstream api-backend {\n    server 10.0.1.30:8080;\n}\n',
}

const applied = { version: 41, digest: '5b3c…' }
const desired = { version: 42, digest: 'b7c2…' }

export const agentFilesExamples = {
  getAgentConfig: {
    response: {
      nginx: {
        mode: 'owned',
        version: '1.22.1',
        supports: ['ssl', 'http2', 'reject_handshake', 'stub_status', 'error_log_option'],
        runtime_directory: '/var/lib/nxmesh/runtime',
        generations_directory: '/var/lib/nxmesh/generations',
        ipv6: true,
        worker_user: 'www-data',
        resolver: '127.0.0.1:612',
        access_log: '/var/lib/nxmesh/runtime/access.log',
      },
      desired: { ...desired, files: [file], findings: [], note: null },
      applied: { ...applied, files: [file], matches_agent: true, note: null },
    },
  },
  diffAgentConfig: {
    response: {
      from: applied,
      to: desired,
      objects: {
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
      files: [
        {
          path: 'http.conf',
          action: 'changed',
          diff: '--- a/http.conf\n+++ b/http.conf\n@@ -1,3 +1,3 @@\n upstream api-backend {\n-    server 10.0.1.20:8080;\n+    server 10.0.1.30:8080;\n }\n',
        },
      ],
      note: null,
    },
  },
  listApplies: {
    response: {
      data: [
        {
          id: '019c6c1c-0a40-7bbb-8d3b-3f1b7e5d2c13',
          ...desired,
          status: 'success',
          error: null,
          findings: [],
          duration_ms: 150,
          applied_at: '2026-03-02T12:10:00.000Z',
          reported_at: '2026-03-02T12:10:00.100Z',
        },
      ],
      meta: { page: 1, per_page: 20, total: 1 },
    },
  },
} satisfies Examples
