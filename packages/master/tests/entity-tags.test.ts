import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Door, openDoor } from './door.ts'

let stack: AsyncDisposableStack
let mesh: TestMaster
let door: Door

const upstream = { name: 'web', servers: [{ address: '127.0.0.1:9000' }] }
const host = { name: 'Site', server_name: 'site.example.com', listen_port: 80 }

let counter = 0
const fresh = (prefix: string) => `${prefix}-${++counter}`

async function create(path: string, body: object): Promise<string> {
  const created = await door('POST', path, { body })
  expect(created.status).toBe(201)
  return created.body.id ?? created.body.agent_id
}

async function newWorkspace(): Promise<string> {
  return create(`/organizations/${mesh.organizationId}/workspaces`, { name: 'W', slug: fresh('ws') })
}

/** Something of every kind that can be changed. */
const kinds: [string, () => Promise<string>, object][] = [
  ['organization', async () => `/organizations/${await create('/organizations', { name: 'O', slug: fresh('org') })}`, { name: 'New' }],
  ['workspace', async () => `/workspaces/${await newWorkspace()}`, { name: 'New' }],
  ['settings', async () => `/workspaces/${await newWorkspace()}/settings`, { env_vars: { TZ: 'UTC' } }],
  ['agent', async () => `/agents/${await create(`/workspaces/${await newWorkspace()}/agents/tokens`, { name: 'a' })}`, { name: 'new' }],
  ['upstream', async () => `/upstreams/${await create(`/workspaces/${await newWorkspace()}/upstreams`, upstream)}`, { name: 'new' }],
  [
    'virtual host',
    async () => `/virtual-hosts/${await create(`/workspaces/${await newWorkspace()}/virtual-hosts`, host)}`,
    { name: 'New' },
  ],
]

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

  test.each(kinds)('%s: a stale tag changes nothing, and the tag of an answer is the next to send', async (_kind, make, change) => {
    const path = await make()
    const before = await door('GET', path)
    const etag = before.headers.get('etag')!
    expect(etag).toMatch(/^"[^"]+"$/)
    const changed = await door('PATCH', path, { body: change, headers: { 'if-match': etag } })
    expect(changed.status).toBe(200)
    const next = changed.headers.get('etag')!
    expect(next).not.toBe(etag)
    const stale = await door('PATCH', path, { body: change, headers: { 'if-match': etag } })
    expect([stale.status, stale.body.error.code]).toEqual([412, 'PRECONDITION_FAILED'])
    const now = await door('GET', path)
    expect([now.body, now.headers.get('etag')]).toEqual([changed.body, next])
    for (const match of [`"0", ${next}`, '*', `W/${next}`]) {
      const again = await door('PATCH', path, { body: {}, headers: { 'if-match': match } })
      expect(again.status).toBe(200)
      if (match !== '*') break
    }
  })

  test.each(kinds.filter(([kind]) => kind !== 'settings'))('%s: is not deleted under a stale tag', async (_kind, make) => {
    const path = await make()
    expect((await door('DELETE', path, { headers: { 'if-match': '"77"' } })).status).toBe(412)
    const { headers } = await door('GET', path)
    expect((await door('DELETE', path, { headers: { 'if-match': headers.get('etag')! } })).status).toBe(204)
  })

  test.each(kinds)('%s: is not sent again to who has it', async (_kind, make, change) => {
    const path = await make()
    const etag = (await door('GET', path)).headers.get('etag')!
    const known = await door('GET', path, { headers: { 'if-none-match': `"other", ${etag}` } })
    expect([known.status, known.body, known.headers.get('etag')]).toEqual([304, undefined, etag])
    await door('PATCH', path, { body: change })
    expect((await door('GET', path, { headers: { 'if-none-match': etag } })).status).toBe(200)
  })

  test('the news of an agent make its tag another one, and change nothing about who may edit it', async () => {
    const path = await kinds[3]![1]()
    const id = path.split('/')[2]!
    const etag = (await door('GET', path)).headers.get('etag')!
    await mesh.master.ctx.db.updateTable('agents').set({ hostname: 'web-01' }).where('id', '=', id).execute()
    const fresh = await door('GET', path, { headers: { 'if-none-match': etag } })
    expect([fresh.status, fresh.body.hostname]).toEqual([200, 'web-01'])
    expect((await door('PATCH', path, { body: { name: 'b' }, headers: { 'if-match': etag } })).status).toBe(200)
  })

  test('a config change makes the tag of its workspace another one', async () => {
    const id = await newWorkspace()
    const etag = (await door('GET', `/workspaces/${id}`)).headers.get('etag')!
    await create(`/workspaces/${id}/upstreams`, upstream)
    const fresh = await door('GET', `/workspaces/${id}`, { headers: { 'if-none-match': etag } })
    expect([fresh.status, fresh.body.config_version]).toEqual([200, 1])
    expect((await door('PATCH', `/workspaces/${id}`, { body: { name: 'X' }, headers: { 'if-match': etag } })).status).toBe(200)
  })

  test('50 writers who each add to what they read lose no update', async () => {
    const path = `/workspaces/${await newWorkspace()}/settings`
    let refused = 0
    async function add(name: string) {
      for (;;) {
        const read = await door('GET', path)
        const env_vars = { ...read.body.env_vars, COUNT: String(Number(read.body.env_vars.COUNT ?? 0) + 1), [name]: '1' }
        const written = await door('PATCH', path, { body: { env_vars }, headers: { 'if-match': read.headers.get('etag')! } })
        if (written.status === 200) return
        expect(written.status).toBe(412)
        refused++
      }
    }
    await Promise.all(Array.from({ length: 50 }, (_, index) => add(`W${index}`)))
    const { env_vars } = (await door('GET', path)).body
    expect([env_vars.COUNT, Object.keys(env_vars).length]).toEqual(['50', 51])
    expect(refused).toBeGreaterThan(0)
  }, 60_000)
})
