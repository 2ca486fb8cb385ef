import { readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { routes } from '@nxmesh/api/routes'
import { ConfigApplyStatus } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { signIn, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { freePort } from '@nxmesh/testkit/ports'
import { startMasterProgram } from '@nxmesh/testkit/programs'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import { connectTelemetryAgent, line, newTelemetryAgent, type Place, requestsOf } from './telemetry-agent.ts'

const from = '2026-03-01T00:00:00Z'
const window = { from, to: '2026-03-02T00:00:00Z' }
const start = Date.parse(from)
const taken = { success: true, errorMessage: '' }

function placeOf({ client, master, workspaceId }: TestMaster): Place {
  return { client, workspaceId, port: master.agents.port, caPem: master.ctx.authority.caPem }
}

async function total({ client, workspaceId }: Pick<TestMaster, 'client' | 'workspaceId'>): Promise<number> {
  const answer = await client.call(routes.listAccessLogs, { params: { workspace_id: workspaceId }, query: window })
  return answer.meta.total
}

/** Sends a batch until it is taken, as an agent does that keeps what was refused. */
async function insist(send: () => Promise<{ success: boolean }>): Promise<void> {
  await until('the batch to be taken', async () => (await send()).success)
}

test('what was acknowledged survives the death of the store, and what was not comes again and once', async () => {
  await using directory = await scratch()
  await using mesh = await startTestMaster(directory.path)
  using agent = await newTelemetryAgent(placeOf(mesh), 'one')
  const { telemetry } = mesh.master.ctx
  for (let sequence = 1; sequence <= 12; sequence++) {
    const batch = { spool: 's', sequence: BigInt(sequence), entries: [line(start + sequence), line(start + sequence)] }
    if (sequence % 4 === 0) process.kill(telemetry.status().pid!, 'SIGKILL')
    await insist(() => agent.logs(batch))
    await insist(() => agent.logs(batch))
  }
  await until('all of them to be there once', async () => (await total(mesh)) === 24)
  expect(telemetry.status().restarts).toBeGreaterThanOrEqual(3)
})

test('counters go on where they stood when the store died', async () => {
  await using directory = await scratch()
  await using mesh = await startTestMaster(directory.path)
  using agent = await newTelemetryAgent(placeOf(mesh), 'one')
  const { telemetry } = mesh.master.ctx
  for (const [sequence, value] of [
    [1, 100],
    [2, 130],
    [3, 135],
  ] as const) {
    const batch = { spool: 's', sequence: BigInt(sequence), metrics: [requestsOf(start + sequence * 1000, value)] }
    await insist(() => agent.metrics(batch))
    process.kill(telemetry.status().pid!, 'SIGKILL')
    await until('the store to be back', () => telemetry.status().restarts === sequence && telemetry.status().state === 'ready')
  }
  const params = { agent_id: agent.id }
  expect(await mesh.client.call(routes.getAgentMetrics, { params, query: window })).toMatchObject({ requests_total: 135 })
})

test('what was acknowledged survives the death of the master', async () => {
  await using directory = await scratch()
  const ports = { http: await freePort(), agents: await freePort() }
  const base = `http://127.0.0.1:${ports.http}`
  let acknowledged = 0
  let identity: { id: string; token: string } | undefined
  let workspaceId = ''
  for (let round = 1; round <= 3; round++) {
    await using program = await startMasterProgram(directory.path, ports)
    const client = await signIn(base)
    const caPem = await readFile(join(directory.path, 'ca.pem'), 'utf8')
    if (workspaceId === '') {
      const [organization] = (await client.call(routes.listOrganizations, {})).data
      const workspaces = await client.call(routes.listWorkspaces, { params: { organization_id: organization!.id } })
      workspaceId = workspaces.data[0]!.id
      const made = await client.call(routes.createAgentToken, { params: { workspace_id: workspaceId }, body: { name: 'one' } })
      identity = { id: made.agent_id, token: made.token }
    }
    using agent = await connectTelemetryAgent({ port: ports.agents, caPem }, identity!)
    // The last one again, as after a death between commit and acknowledgement.
    for (const sequence of [acknowledged, acknowledged + 1, acknowledged + 2].filter((number) => number > 0)) {
      await insist(() => agent.logs({ spool: 's', sequence: BigInt(sequence), entries: [line(start + sequence)] }))
    }
    acknowledged += 2
    await until('all of it to be there once', async () => (await total({ client, workspaceId })) === acknowledged)
    await program.end('SIGKILL')
  }
})

test('paths are counted through a file of an earlier release, which has none, and what was added to it', async () => {
  await using directory = await scratch()
  const files = join(directory.path, 'telemetry')
  let identity: { id: string; token: string }
  const uris = (...all: string[]) => all.map((uri, index) => line(start + index, { uri }))
  const tops = async ({ client, workspaceId }: TestMaster) => {
    const query = { ...window, by: 'uri' as const }
    const { data } = await client.call(routes.topAccessLogs, { params: { workspace_id: workspaceId }, query })
    return data.map(({ value, requests }) => [value, requests])
  }
  {
    await using mesh = await startTestMaster(directory.path)
    using agent = await newTelemetryAgent(placeOf(mesh), 'one')
    identity = agent
    expect(await agent.logs({ entries: uris('/a?1', '/a?2', '/b') })).toMatchObject(taken)
    expect(await tops(mesh)).toEqual([
      ['/a', 2],
      ['/b', 1],
    ])
  }
  const [name] = (await readdir(files)).filter((file) => file.endsWith('.duckdb'))
  const file = await DuckDBInstance.create(join(files, name!))
  const connection = await file.connect()
  await connection.run('ALTER TABLE access DROP COLUMN path')
  connection.closeSync()
  file.closeSync()
  const rounds: [uri: string, expected: [path: string, requests: number][]][] = [
    [
      '/b?3',
      [
        ['/a', 2],
        ['/b', 2],
        ['/c', 1],
      ],
    ],
    [
      '/b?4',
      [
        ['/b', 3],
        ['/a', 2],
        ['/c', 2],
      ],
    ],
  ]
  for (const [uri, expected] of rounds) {
    await using mesh = await startTestMaster(directory.path)
    using agent = await connectTelemetryAgent({ port: mesh.master.agents.port, caPem: mesh.master.ctx.authority.caPem }, identity)
    expect(await agent.logs({ entries: uris(uri, '/c') })).toMatchObject(taken)
    expect(await tops(mesh)).toEqual(expected)
  }
})

test('a file that cannot be read is put aside, and work goes on', async () => {
  await using directory = await scratch()
  const files = join(directory.path, 'telemetry')
  let damaged: string
  {
    await using mesh = await startTestMaster(directory.path)
    using agent = await newTelemetryAgent(placeOf(mesh), 'one')
    expect(await agent.logs({ entries: [line(start)] })).toMatchObject(taken)
    damaged = (await readdir(files)).find((name) => name.endsWith('.duckdb'))!
  }
  await truncate(join(files, damaged), 5000)
  await writeFile(join(files, '2026-01-01.duckdb'), 'this is no database')
  await using mesh = await startTestMaster(directory.path)
  using agent = await newTelemetryAgent(placeOf(mesh), 'two')
  await insist(() => agent.logs({ entries: [line(start), line(start)] }))
  expect(await total(mesh)).toBe(2)
  expect(mesh.master.ctx.telemetry.status()).toMatchObject({ state: 'ready', quarantined: 2 })
  expect((await readdir(files)).filter((name) => name.includes('.damaged-'))).toHaveLength(2)
  const ready = await fetch(`${mesh.base}/readyz`)
  expect(await ready.json()).toEqual({ status: 'ready', telemetry: { state: 'ready', quarantined: 2 } })
})

test('a file goes when its days are over, and what it knew about spools and counters stays', async () => {
  await using directory = await scratch()
  const files = join(directory.path, 'telemetry')
  const identities: { id: string; token: string }[] = []
  {
    await using mesh = await startTestMaster(directory.path)
    using agent = await newTelemetryAgent(placeOf(mesh), 'one')
    identities.push(agent)
    expect(await agent.logs({ spool: 's', sequence: 1n, entries: [line(start)] })).toMatchObject(taken)
    expect(await agent.metrics({ spool: 's', sequence: 1n, metrics: [requestsOf(start, 10)] })).toMatchObject(taken)
  }
  const today = (await readdir(files)).find((name) => name.endsWith('.duckdb'))!
  // As if it had been written in another time.
  await rename(join(files, today), join(files, '2026-01-01.duckdb'))
  await using mesh = await startTestMaster(directory.path, ['--telemetry-retention-days', '30'])
  using agent = await connectTelemetryAgent(placeOf(mesh), identities[0]!)
  await insist(() => agent.logs({ spool: 's', sequence: 1n, entries: [line(start)] }))
  await insist(() => agent.logs({ spool: 's', sequence: 2n, entries: [line(start)] }))
  await insist(() => agent.metrics({ spool: 's', sequence: 2n, metrics: [requestsOf(start + 1, 25)] }))
  expect(await total(mesh)).toBe(2)
  process.kill(mesh.master.ctx.telemetry.status().pid!, 'SIGKILL')
  await until('the old file to be gone', async () => !(await readdir(files)).includes('2026-01-01.duckdb'))
  await until('its row to be gone', async () => (await total(mesh)) === 1)
  await insist(() => agent.logs({ spool: 's', sequence: 1n, entries: [line(start)] }))
  expect(await total(mesh)).toBe(1)
  await insist(() => agent.metrics({ spool: 's', sequence: 3n, metrics: [requestsOf(start + 2, 26)] }))
  const params = { agent_id: agent.id }
  expect(await mesh.client.call(routes.getAgentMetrics, { params, query: window })).toMatchObject({ requests_total: 16 })
  expect((await stat(join(files, today))).size).toBeGreaterThan(0)
})

test('while the store is away, agents keep what they have and everything else goes on', async () => {
  await using directory = await scratch()
  // A file where the directory should be: the store cannot start.
  await writeFile(join(directory.path, 'telemetry'), '')
  await using mesh = await startTestMaster(directory.path)
  using agent = await newTelemetryAgent(placeOf(mesh), 'one')
  const refused = await agent.logs({ entries: [line(start)] })
  expect(refused).toMatchObject({ success: false, errorMessage: expect.stringContaining('try again later') })
  const params = { workspace_id: mesh.workspaceId }
  for (const route of [routes.getWorkspaceMetrics, routes.listAccessLogs, routes.listErrorLogs]) {
    await expect(mesh.client.call(route, { params }), route.id).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  }
  const top = mesh.client.call(routes.topAccessLogs, { params, query: { by: 'uri' } })
  await expect(top).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  const { configId, version, configChecksum } = await agent.stream.next('configUpdate')
  agent.stream.send({ case: 'configStatus', value: { configId, version, configChecksum, status: ConfigApplyStatus.SUCCESS } })
  const body = { name: 'Site', server_name: 'site.example.com', listen_port: 80 }
  await mesh.client.call(routes.createVirtualHost, { params, body })
  await until('the config to arrive', async () => {
    const update = await agent.stream.next('configUpdate')
    return update.virtualHosts.some(({ serverName }) => serverName === 'site.example.com')
  })
  await rm(join(directory.path, 'telemetry'))
  await insist(() => agent.logs({ entries: [line(start)] }))
  expect(await total(mesh)).toBe(1)
})
