import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CommandOutcome, Session } from '../src/link/sessions.ts'
import { hashPassword } from '../src/passwords.ts'
import { type Door, openDoor } from './door.ts'

let stack: AsyncDisposableStack
let mesh: TestMaster
let door: Door
let workspace: string

let counter = 0
const fresh = (prefix: string) => `${prefix}-${++counter}`
const upstream = (name = fresh('up')) => ({ name, servers: [{ address: '127.0.0.1:9000' }] })

function keyed(path: string, key: string, body?: object, from: Door = door) {
  return from('POST', path, { ...(body && { body }), headers: { 'idempotency-key': key } })
}

async function count(table: 'organizations' | 'workspaces' | 'agents' | 'virtual_hosts' | 'upstreams'): Promise<number> {
  const rows = await mesh.master.ctx.db.selectFrom(table).select('id').execute()
  return rows.length
}

/** An agent that is connected and answers commands as it is told to. */
async function scriptedAgent(answer: () => Promise<CommandOutcome>): Promise<{ id: string; commands: () => number }> {
  const { body } = await door('POST', `/workspaces/${workspace}/agents/tokens`, { body: { name: fresh('agent') } })
  let commands = 0
  const session = {
    agentId: body.agent_id,
    workspaceId: workspace,
    machineId: '',
    bootId: '',
    certificatesValidFrom: null,
    heardAt: performance.now(),
    consider: () => undefined,
    end: () => undefined,
    command() {
      commands++
      return answer()
    },
  } as unknown as Session
  mesh.master.ctx.sessions.admit(session)
  return { id: body.agent_id, commands: () => commands }
}

const done: CommandOutcome = { kind: 'answered', success: true, data: {}, message: 'reloaded' }

describe.each(stores)('on $name', (store) => {
  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, await opened.settings()))
    door = await openDoor(mesh.base, administrator)
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  beforeEach(async () => {
    const body = { name: 'W', slug: fresh('ws') }
    workspace = (await door('POST', `/organizations/${mesh.organizationId}/workspaces`, { body })).body.id
  })

  const creations: [string, 'organizations' | 'workspaces' | 'agents' | 'virtual_hosts' | 'upstreams', () => [string, object]][] = [
    ['organization', 'organizations', () => ['/organizations', { name: 'O', slug: fresh('org') }]],
    ['workspace', 'workspaces', () => [`/organizations/${mesh.organizationId}/workspaces`, { name: 'W', slug: fresh('ws') }]],
    ['agent and its token', 'agents', () => [`/workspaces/${workspace}/agents/tokens`, { name: fresh('agent') }]],
    ['upstream', 'upstreams', () => [`/workspaces/${workspace}/upstreams`, upstream()]],
    [
      'virtual host',
      'virtual_hosts',
      () => [`/workspaces/${workspace}/virtual-hosts`, { name: 'S', server_name: `${fresh('s')}.test`, listen_port: 80 }],
    ],
  ]

  test.each(creations)('%s: the same key gives the same answer and creates nothing twice', async (_what, table, make) => {
    const [path, body] = make()
    const key = fresh('key')
    const first = await keyed(path, key, body)
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([201, null])
    const before = await count(table)
    const second = await keyed(path, key, Object.fromEntries(Object.entries(body).reverse()))
    expect([second.status, second.body, second.headers.get('etag')]).toEqual([201, first.body, first.headers.get('etag')])
    expect(second.headers.get('idempotent-replayed')).toBe('true')
    expect(await count(table)).toBe(before)
  })

  test('another request under the same key is refused', async () => {
    const path = `/workspaces/${workspace}/upstreams`
    await keyed(path, 'k1', upstream())
    const other = await keyed(path, 'k1', upstream())
    expect([other.status, other.body.error.details[0].field]).toEqual([422, 'Idempotency-Key'])
    expect((await keyed('/organizations', 'k1', { name: 'O', slug: fresh('org') })).status).toBe(422)
  })

  test.each(['', 'two words', 'x'.repeat(256)])('%j is no key', async (key) => {
    const answer = await keyed(`/workspaces/${workspace}/upstreams`, key, upstream())
    expect([answer.status, answer.body.error.details[0].field]).toEqual([422, 'Idempotency-Key'])
  })

  test('a request that failed can come again under its key', async () => {
    const path = `/workspaces/${workspace}/upstreams`
    const body = upstream('taken')
    const { id } = (await door('POST', path, { body })).body
    expect((await keyed(path, 'k2', body)).status).toBe(409)
    await door('DELETE', `/upstreams/${id}`)
    expect((await keyed(path, 'k2', body)).status).toBe(201)
  })

  test('the key of another caller is another key', async () => {
    const stranger = { email: `${fresh('stranger')}@example.com`, password: 'another good password' }
    const id = crypto.randomUUID()
    const password_hash = await hashPassword(stranger.password)
    await mesh.master.ctx.db.insertInto('users').values({ id, email: stranger.email, password_hash, created_at: '' }).execute()
    const body = { name: 'Mine', slug: fresh('org') }
    const mine = await keyed('/organizations', 'k3', body)
    const theirs = await keyed('/organizations', 'k3', { ...body, slug: fresh('org') }, await openDoor(mesh.base, stranger))
    expect([mine.status, theirs.status]).toEqual([201, 201])
  })

  test('a key is good for a day', async () => {
    const path = `/workspaces/${workspace}/upstreams`
    const first = await keyed(path, 'k4', upstream())
    const aDayAgo = new Date(Date.now() - 24 * 3600 * 1000 - 1000).toISOString()
    await mesh.master.ctx.db.updateTable('idempotency_keys').set({ created_at: aDayAgo }).where('key', '=', 'k4').execute()
    const second = await keyed(path, 'k4', upstream())
    expect([second.status, second.body.id === first.body.id]).toEqual([201, false])
  })

  test('housekeeping deletes keys of the day before', async () => {
    await keyed(`/workspaces/${workspace}/upstreams`, 'k6', upstream())
    const { ctx } = mesh.master
    const created_at = new Date(Date.now() - 25 * 3600 * 1000).toISOString()
    await ctx.db.updateTable('idempotency_keys').set({ created_at }).where('key', '=', 'k6').execute()
    ctx.wake('housekeeping')
    const left = () => ctx.db.selectFrom('idempotency_keys').select('key').where('key', '=', 'k6').execute()
    await expect.poll(left).toEqual([])
  })

  test('50 at once with one key create one', async () => {
    const path = `/workspaces/${workspace}/upstreams`
    const body = upstream()
    const answers = await Promise.all(Array.from({ length: 50 }, () => keyed(path, 'k5', body)))
    const created = answers.filter((answer) => answer.status === 201)
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set(created.length === 50 ? [201] : [201, 409]))
    expect(new Set(created.map((answer) => answer.body.id)).size).toBe(1)
    expect((await door('GET', path)).body.meta.total).toBe(1)
    expect((await keyed(path, 'k5', body)).body.id).toBe(created[0]!.body.id)
  })

  test('50 at once with a key each, every one sent twice, create 50', async () => {
    const path = `/workspaces/${workspace}/upstreams`
    const requests = Array.from({ length: 50 }, () => ({ key: fresh('key'), body: upstream() }))
    await Promise.all([...requests, ...requests].map(({ key, body }) => keyed(path, key, body)))
    const ids = await Promise.all(requests.map(async ({ key, body }) => (await keyed(path, key, body)).body.id))
    const workspaceNow = await door('GET', `/workspaces/${workspace}`)
    expect([new Set(ids).size, (await door('GET', path)).body.meta.total, workspaceNow.body.config_version]).toEqual([50, 50, 50])
  }, 60_000)

  test('no answer lies open in the database', async () => {
    const { body } = await keyed(`/workspaces/${workspace}/agents/tokens`, fresh('key'), { name: fresh('agent') })
    const dump = JSON.stringify(await mesh.master.ctx.db.selectFrom('idempotency_keys').selectAll().execute())
    expect(dump).not.toContain(body.token.slice(-30))
    expect(dump).not.toContain(body.agent_id)
  })

  describe('commands', () => {
    test('are sent once; while one is under way its key is refused', async () => {
      const answer = Promise.withResolvers<CommandOutcome>()
      const agent = await scriptedAgent(() => answer.promise)
      const path = `/agents/${agent.id}/reload`
      const first = keyed(path, 'c1')
      await expect.poll(agent.commands).toBe(1)
      expect((await keyed(path, 'c1')).status).toBe(409)
      answer.resolve(done)
      expect((await first).body).toMatchObject({ success: true, message: 'reloaded' })
      expect(await keyed(path, 'c1')).toMatchObject({ status: 200, body: (await first).body })
      expect(agent.commands()).toBe(1)
      expect((await keyed(path, fresh('key'))).status).toBe(200)
      expect(agent.commands()).toBe(2)
    })

    test('that got no answer are not sent again under their key', async () => {
      const agent = await scriptedAgent(async () => ({ kind: 'unanswered' }))
      const first = await keyed(`/agents/${agent.id}/restart`, 'c2')
      const second = await keyed(`/agents/${agent.id}/restart`, 'c2')
      expect([first.status, second.status, agent.commands()]).toEqual([503, 503, 1])
      expect(second.body).toEqual(first.body)
    })

    test('whose answer cannot be kept are not sent again', async () => {
      const { db } = mesh.master.ctx
      const agent = await scriptedAgent(async () => {
        await db.schema.alterTable('idempotency_keys').renameTo('idempotency_keys_away').execute()
        return done
      })
      const path = `/agents/${agent.id}/restart`
      expect(await keyed(path, 'c5')).toMatchObject({ status: 200, body: { success: true } })
      await db.schema.alterTable('idempotency_keys_away').renameTo('idempotency_keys').execute()
      const { status, body } = await keyed(path, 'c5')
      expect([status, body.error.message, agent.commands()]).toEqual([409, expect.stringContaining('is not known'), 1])
    })

    test('that could not be sent can be sent again under their key', async () => {
      const { body } = await door('POST', `/workspaces/${workspace}/agents/tokens`, { body: { name: fresh('agent') } })
      expect((await keyed(`/agents/${body.agent_id}/reload`, 'c3')).status).toBe(409)
      expect(await mesh.master.ctx.db.selectFrom('idempotency_keys').select('key').where('key', '=', 'c3').execute()).toEqual([])
    })

    test('that a master took with it when it was killed are not sent again, and the answer says why', async () => {
      const agent = await scriptedAgent(async () => done)
      const path = `/agents/${agent.id}/reload`
      await keyed(path, 'c4')
      await mesh.master.ctx.db
        .updateTable('idempotency_keys')
        .set({ status: null, answer: null, master_id: 'one that is gone' })
        .where('key', '=', 'c4')
        .execute()
      const { status, body } = await keyed(path, 'c4')
      expect([status, body.error.message]).toEqual([409, expect.stringContaining('is not known')])
      expect(agent.commands()).toBe(1)
    })
  })

  test('a password is changed once, and wrong guesses count, under whatever key', async () => {
    const credentials = { email: `${fresh('guesser')}@example.com`, password: 'the password of before' }
    const person = { id: crypto.randomUUID(), email: credentials.email, password_hash: await hashPassword(credentials.password) }
    await mesh.master.ctx.db
      .insertInto('users')
      .values({ ...person, created_at: '' })
      .execute()
    const from = await openDoor(mesh.base, credentials)
    const change = (key: string, current_password: string) =>
      keyed('/auth/password', key, { current_password, new_password: 'the password of afterwards' }, from)
    expect((await change('p1', 'a guess')).status).toBe(422)
    const failures = await mesh.master.ctx.db.selectFrom('sign_in_failures').select('failures').execute()
    expect(failures.length).toBeGreaterThan(0)
    expect((await change('p2', credentials.password)).status).toBe(204)
    expect((await change('p2', credentials.password)).headers.get('idempotent-replayed')).toBe('true')
  })
})
