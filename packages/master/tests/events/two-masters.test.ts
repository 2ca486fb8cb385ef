import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { earliest } from '@nxmesh/api/events'
import { routes } from '@nxmesh/api/routes'
import { startCuttable } from '@nxmesh/testkit/cuttable'
import { accessToken, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { startPostgres } from '@nxmesh/testkit/postgres'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectForeign } from '../../../../e2e/foreign/agent.ts'
import { transaction } from '../../src/db/transaction.ts'
import { tell } from '../../src/events/outbox.ts'
import { type Listening, listenWith } from './listening.ts'

const stack = new AsyncDisposableStack()
let settings: string[]
let masters: TestMaster[]
let token: string

beforeAll(async () => {
  const postgres = stack.use(await startPostgres())
  const directory = stack.use(await scratch()).path
  const keyFile = join(directory, 'secret.key')
  await writeFile(keyFile, randomBytes(32).toString('base64'), { mode: 0o600 })
  settings = ['--database', await postgres.createDatabase(), '--secret-key-file', keyFile, '--heartbeat-interval', '10']
  masters = await Promise.all(['one', 'two'].map((name) => startTestMaster(join(directory, name), settings)))
  for (const master of masters) stack.use(master)
  token = await accessToken(masters[0]!.base)
})

afterAll(() => stack.disposeAsync())

const newUpstream = (master: TestMaster, name: string, workspace_id = master.workspaceId) =>
  master.client.call(routes.createUpstream, { params: { workspace_id }, body: { name, servers: [{ address: '127.0.0.1:9' }] } })
const idsOf = ({ events }: Listening) => events.map(({ id }) => id)

test('changes and agents at both are heard at both, the same and in one order, and none is missing', async () => {
  const [one, two] = masters as [TestMaster, TestMaster]
  const workspaces = [one.workspaceId]
  for (let index = 0; index < 3; index++) {
    const body = { name: `w${index}`, slug: `w${index}` }
    workspaces.push((await one.client.call(routes.createWorkspace, { params: { organization_id: one.organizationId }, body })).id)
  }
  await using here = await listenWith(one.base, token)
  await using there = await listenWith(two.base, token)
  await using agents = new AsyncDisposableStack()
  const arrive = async (index: number) => {
    const at = masters[index % 2]!
    const params = { workspace_id: workspaces[index % 4]! }
    const made = await at.client.call(routes.createAgentToken, { params, body: { name: `agent ${index}` } })
    const agent = agents.use(connectForeign({ port: at.master.agents.port, caPem: at.master.ctx.authority.caPem }))
    await agent.register({ token: made.token })
  }
  await Promise.all([
    ...Array.from({ length: 80 }, (_, index) => newUpstream(masters[index % 2]!, `u${index}`, workspaces[index % 4])),
    ...Array.from({ length: 8 }, (_, index) => arrive(index)),
  ])
  const { db } = one.master.ctx
  // What the rows hold says what there was to hear.
  const kept = async () => (await db.selectFrom('events').select('id').orderBy('seq').execute()).map(({ id }) => id)
  await until('the last agent to be online', async () => (await kept()).length >= 80 * 2 + 8 * 3)
  const all = await kept()
  for (const events of [here, there]) {
    await until('all of it', () => events.events.length >= all.length)
    expect(idsOf(events)).toEqual(all)
  }
  const rows = await db.selectFrom('events').select('seq').orderBy('seq').execute()
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1))
})

test('what happens once the socket is open is heard, however slow the database of its master', async () => {
  await using directory = await scratch()
  const [, database, ...others] = settings
  const { pathname, searchParams } = new URL(database!)
  await using line = await startCuttable(join(searchParams.get('host')!, '.s.PGSQL.5432'))
  const through = `postgres://nxmesh@127.0.0.1:${line.port}${pathname}`
  await using far = await startTestMaster(directory.path, ['--database', through, ...others])
  line.slow(500)
  await using there = await listenWith(far.base, token)
  await newUpstream(masters[0]!, 'as soon as it is open')
  expect(await there.next('upstream.created', { name: 'as soon as it is open' })).toMatchObject({ type: 'upstream.created' })
})

test('an event whose transaction began earlier and ended later is heard all the same', async () => {
  const [one, two] = masters as [TestMaster, TestMaster]
  await using there = await listenWith(two.base, token)
  const { ctx } = one.master
  const body = { name: 'slow', slug: 'slow' }
  const slow = (await one.client.call(routes.createWorkspace, { params: { organization_id: one.organizationId }, body })).id
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const late = transaction(
    ctx,
    async (tx) => {
      tell(ctx, tx, slow, 'upstream.created', { upstream_id: one.workspaceId, name: 'began first', version: 1 })
      await tx.db.updateTable('workspaces').set({ version: 2 }).where('id', '=', slow).execute()
      begun.resolve()
      await goOn.promise
    },
    slow,
  )
  await begun.promise
  await newUpstream(one, 'began second')
  await there.next('upstream.created', { name: 'began second' })
  goOn.resolve()
  await late
  await there.next('upstream.created', { name: 'began first' })
  const names = there.events.filter(({ type }) => type === 'upstream.created').map(({ data }) => data['name'])
  expect(names).toEqual(['began second', 'began first'])
})

test('whoever loses one master goes on at the other', async () => {
  const [one, two] = masters as [TestMaster, TestMaster]
  await using here = await listenWith(one.base, token)
  await newUpstream(one, 'heard here')
  const { id } = await here.next('upstream.created', { name: 'heard here' })
  await newUpstream(one, 'not heard here')
  await using there = await listenWith(two.base, token, { last_event_id: id })
  await there.next('upstream.created', { name: 'not heard here' })
  expect(there.events.map(({ type }) => type).slice(0, 2)).toEqual(['revision.created', 'upstream.created'])
})

test('an agent that changes masters is told as an end and a beginning, once', async () => {
  const [one, two] = masters as [TestMaster, TestMaster]
  const { agent_id, token: secret } = await one.client.call(routes.createAgentToken, {
    params: { workspace_id: one.workspaceId },
    body: { name: 'moving' },
  })
  await using events = await listenWith(two.base, token)
  await events.ask({ action: 'subscribe', events: ['agent.*'], filter: { agent_id }, after: earliest })
  const connectTo = ({ master }: TestMaster) => connectForeign({ port: master.agents.port, caPem: master.ctx.authority.caPem })
  await using before = connectTo(one)
  await before.register({ token: secret })
  await events.next('agent.connected')
  await using after = connectTo(two)
  await after.register({ token: secret })
  let over = false
  void before.ended.then(() => {
    over = true
  })
  await until('the end of the former session', () => {
    one.master.ctx.wake('rollout')
    return over
  })
  await one.master.ctx.agentWrites.flush()
  after.finish()
  await events.next('agent.disconnected', { reason: 'closed_by_agent' })
  const told = events.events.map(({ type, data }) => [type, data['reason']].join(' ').trim())
  expect(told.filter((what) => what !== 'agent.online')).toEqual([
    'agent.created',
    'agent.connected',
    'agent.disconnected replaced',
    'agent.connected',
    'agent.disconnected closed_by_agent',
  ])
})
