import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ApiError } from '@nxmesh/api/errors'
import { routes } from '@nxmesh/api/routes'
import { signIn, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { startPostgres } from '@nxmesh/testkit/postgres'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectForeign, type ForeignAgent } from '../../../e2e/foreign/agent.ts'

const stack = new AsyncDisposableStack()
let one: TestMaster
let two: TestMaster

beforeAll(async () => {
  const postgres = stack.use(await startPostgres())
  const directory = stack.use(await scratch()).path
  const keyFile = join(directory, 'secret.key')
  await writeFile(keyFile, randomBytes(32).toString('base64'), { mode: 0o600 })
  const settings = ['--database', await postgres.createDatabase(), '--secret-key-file', keyFile]
  // Together, on an empty database: whatever there must be one of is made once.
  const started = await Promise.all(['one', 'two'].map((name) => startTestMaster(join(directory, name), settings)))
  for (const master of started) stack.use(master)
  one = started[0]!
  two = started[1]!
})

afterAll(() => stack.disposeAsync())

const params = () => ({ workspace_id: one.workspaceId })
const host = (name: string) => ({ name, server_name: `${name}.test`, listen_port: 80 })
const row = (id: string) => one.master.ctx.db.selectFrom('agents').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
const refusal = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error as ApiError,
  )

async function newAgent(name: string) {
  const { agent_id, token } = await one.client.call(routes.createAgentToken, { params: params(), body: { name } })
  return { id: agent_id, token }
}

function connectTo(master: TestMaster): ForeignAgent {
  return connectForeign({ port: master.master.agents.port, caPem: master.master.ctx.authority.caPem })
}

test('masters that start together share one CA, one administrator and one workspace', async () => {
  expect(two.master.ctx.authority.fingerprint).toBe(one.master.ctx.authority.fingerprint)
  expect(two.workspaceId).toBe(one.workspaceId)
  const { total } = (await one.client.call(routes.listOrganizations, {})).meta
  expect(total).toBe(1)
  expect(await one.master.ctx.db.selectFrom('users').select('id').execute()).toHaveLength(1)
})

test('a token of one is good at the other', async () => {
  const tokens = await fetch(`${one.base}/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'admin@nxmesh.local', password: 'correct horse battery staple' }),
  }).then((response) => response.json() as Promise<{ access_token: string }>)
  const answer = await fetch(`${two.base}/v1/organizations`, { headers: { authorization: `Bearer ${tokens.access_token}` } })
  expect(answer.status).toBe(200)
})

test('changes through both, at once, are versions of one history', async () => {
  const clients = [one, two, one, two].map((master) => master.client)
  const before = (await one.client.call(routes.getWorkspace, { params: params() })).config_version
  const names = Array.from({ length: 40 }, (_, index) => `both-${index}`)
  await Promise.all(
    names.map((name, index) => clients[index % clients.length]!.call(routes.createVirtualHost, { params: params(), body: host(name) })),
  )
  for (const { client } of [one, two]) {
    expect((await client.call(routes.getWorkspace, { params: params() })).config_version).toBe(before + names.length)
    const listed = await client.call(routes.listVirtualHosts, { params: params(), query: { per_page: '100' } })
    expect(new Set(listed.data.map((item) => item.name))).toEqual(new Set(names))
  }
  const versions = await one.master.ctx.db.selectFrom('revisions').select('version').orderBy('version').execute()
  expect(versions.map(({ version }) => version)).toEqual(versions.map((_, index) => index + 1))
})

test('a name that both claim at once goes to one of them', async () => {
  const claims = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      refusal((index % 2 ? one : two).client.call(routes.createVirtualHost, { params: params(), body: host('claimed') })),
    ),
  )
  expect(claims.filter((error) => error === undefined)).toHaveLength(1)
  expect(new Set(claims.map((error) => error?.code))).toEqual(new Set([undefined, 'CONFLICT']))
})

test('a change at one reaches an agent at the other, at once', async () => {
  const { id, token } = await newAgent('reached')
  await using agent = connectTo(two)
  await agent.register({ token })
  await agent.next('configUpdate')
  const started = performance.now()
  await one.client.call(routes.createVirtualHost, {
    params: params(),
    body: { ...host('told'), target_agents: { type: 'agents', agent_ids: [id] } },
  })
  // An agent that answers nothing is offered a newer config after ten seconds; this one says that it is done with the first.
  const [first] = agent.received.flatMap((payload) => (payload.case === 'configUpdate' ? [payload.value] : []))
  agent.send({ case: 'configStatus', value: { configId: first!.configId, version: first!.version, status: 4 } })
  const update = await agent.next('configUpdate')
  expect(update.virtualHosts.map((found) => found.serverName)).toContain('told.test')
  expect(performance.now() - started).toBeLessThan(5000)
})

test('an agent at the other is shown online, and its commands are refused with the reason', async () => {
  const { id, token } = await newAgent('elsewhere')
  await using agent = connectTo(two)
  await agent.register({ token })
  await until('it to be seen at the first', async () => (await row(id)).connected === 1)
  const error = await refusal(one.client.call(routes.reloadAgent, { params: { agent_id: id } }))
  expect([error?.code, error?.message]).toEqual(['SERVICE_UNAVAILABLE', expect.stringContaining('another master')])
})

test.each(['deleted', 'revoked'] as const)('an agent that is %s at one is cut off at the other', async (what) => {
  const { id, token } = await newAgent(what)
  await using agent = connectTo(two)
  await agent.register({ token })
  await until('it to be connected', async () => (await row(id)).connected === 1)
  await one.client.call(what === 'deleted' ? routes.deleteAgent : routes.revokeAgent, { params: { agent_id: id } })
  expect((await agent.next('error', 5)).code).toBe('SESSION_REVOKED')
})

test('an agent that moves to the other master stays online there; the first lets go of it', async () => {
  const { id, token } = await newAgent('moving')
  await using before = connectTo(one)
  await before.register({ token })
  await until('it to be at the first', async () => (await row(id)).master_id === one.master.ctx.masterId)
  await using after = connectTo(two)
  await after.register({ token })
  await until('it to be at the second', async () => (await row(id)).master_id === two.master.ctx.masterId)
  one.master.ctx.wake('rollout')
  expect((await before.next('error', 5)).code).toBe('SESSION_REPLACED')
  await before.ended
  await one.master.ctx.agentWrites.flush()
  expect(await row(id)).toMatchObject({ connected: 1, master_id: two.master.ctx.masterId })
})

test('what an agent refused is forgotten at the other master too', async () => {
  const { id, token } = await newAgent('refusing')
  await using agent = connectTo(two)
  await agent.register({ token })
  const { configId, version } = await agent.next('configUpdate')
  agent.send({ case: 'configStatus', value: { configId, version, status: 5, errorMessage: 'no' } })
  await until('the refusal', async () => (await row(id)).rejected_digest !== null)
  await one.client.call(routes.retryAgent, { params: { agent_id: id } })
  expect((await agent.next('configUpdate', 5)).version).toBe(version)
})

test('agents of a master that is gone are offline after half a minute; one that was only away is seen again', async () => {
  const { id, token } = await newAgent('orphan')
  await using agent = connectTo(two)
  await agent.register({ token })
  await until('it to be connected', async () => (await row(id)).connected === 1)
  const { db } = one.master.ctx
  const gone = { seen_at: '2026-01-01T00:00:00.000Z' }
  await db
    .updateTable('agents')
    .set({ master_id: 'nobody' })
    .where('id', '=', (await newAgent('lost')).id)
    .execute()
  const silence = async () => {
    // It would say every five seconds that it is there.
    await db.updateTable('masters').set(gone).where('id', '=', two.master.ctx.masterId).execute()
    return (await row(id)).state === 'offline'
  }
  await until('it to be offline', silence, 12)
  // The master that was silent comes back with its next beat and says again what it knows.
  await until('it to be seen again', async () => (await row(id)).connected === 1, 25)
  expect((await signIn(two.base).then((client) => client.call(routes.getAgent, { params: { agent_id: id } }))).state).toBe('online')
})
