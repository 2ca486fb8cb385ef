import { startTestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import { startReceiver } from './otlp/receiver.ts'
import { line, newTelemetryAgent } from './telemetry-agent.ts'

const start = Date.parse('2026-03-01T00:00:00Z')

test('a line of an access log becomes a log record with the attributes of the semantic conventions', async () => {
  await using directory = await scratch()
  await using receiver = await startReceiver()
  await using mesh = await startTestMaster(directory.path, ['--otlp-endpoint', receiver.url])
  const { client, master, workspaceId } = mesh
  const place = { client, workspaceId, port: master.agents.port, caPem: master.ctx.authority.caPem }
  using agent = await newTelemetryAgent(place, 'one')
  await agent.logs({ entries: [line(start, { uri: '/api/error?a=1&b=?' })] })
  await until('the record to arrive', () => receiver.logs.length > 0 || receiver.problems[0])
  expect(receiver.problems).toEqual([])
  expect(receiver.logs[0]).toMatchObject({
    body: 'GET /api/error?a=1&b=? HTTP/1.1',
    attributes: { 'url.path': '/api/error', 'url.query': 'a=1&b=?' },
  })
})
