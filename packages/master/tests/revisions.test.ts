import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Door, type DoorRequest, openDoor } from './door.ts'

let stack: AsyncDisposableStack
let mesh: TestMaster
let door: Door
let workspace: string

let counter = 0
const fresh = (prefix: string) => `${prefix}-${++counter}`

async function ok(method: string, path: string, request?: DoorRequest) {
  const answer = await door(method, path, request)
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
  return answer.body
}

const inWorkspace = (path: string) => `/workspaces/${workspace}${path}`
const newUpstream = (name: string, port = 9000) =>
  ok('POST', inWorkspace('/upstreams'), { body: { name, servers: [{ address: `127.0.0.1:${port}` }] } })
const newHost = (changes: object = {}) =>
  ok('POST', inWorkspace('/virtual-hosts'), {
    body: { name: 'Site', server_name: `${fresh('site')}.test`, listen_port: 80, locations: [{ path: '/', root: '/srv' }], ...changes },
  })
const rollback = (version: number, more: object = {}) => door('POST', inWorkspace('/rollback'), { body: { version, ...more } })
const version = async () => (await ok('GET', `/workspaces/${workspace}`)).config_version
const state = async () => (await ok('GET', inWorkspace(`/revisions/${await version()}`))).state
const withoutTimes = (value: unknown) => JSON.parse(JSON.stringify(value, (key, member) => (key === 'updated_at' ? undefined : member)))

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
    workspace = (await ok('POST', `/organizations/${mesh.organizationId}/workspaces`, { body })).id
  })

  test('every version is listed, newest first, with who made it, why, and what it changed', async () => {
    const upstream = await newUpstream('web')
    const host = await newHost()
    const headers = { 'x-change-reason': 'it is%20called so n%C3%B6w' }
    await ok('PATCH', `/virtual-hosts/${host.id}`, { body: { name: 'Renamed' }, headers })
    await ok('PATCH', inWorkspace('/settings'), { body: { env_vars: { TZ: 'UTC' } } })
    await ok('DELETE', `/upstreams/${upstream.id}`)
    const { data, meta } = await ok('GET', inWorkspace('/revisions?per_page=4'))
    expect(meta).toEqual({ page: 1, per_page: 4, total: 5 })
    expect(data).toEqual([
      revision(5, 'deleted upstream "web"', { kind: 'upstream', id: upstream.id, name: 'web', action: 'deleted' }),
      revision(4, 'changed the settings', { kind: 'settings', id: workspace, name: 'settings', action: 'changed' }),
      revision(3, 'it is called so nöw', { kind: 'virtual_host', id: host.id, name: 'Renamed', action: 'changed' }),
      revision(2, 'created virtual host "Site"', { kind: 'virtual_host', id: host.id, name: 'Site', action: 'created' }),
    ])
    function revision(number: number, reason: string, change: object) {
      return { version: number, author: administrator.email, created_at: expect.stringMatching(/Z$/), reason, changes: [change] }
    }
  })

  test('a reason that is too long or could forge a line is refused', async () => {
    for (const reason of ['x'.repeat(501), 'a%0Ab']) {
      const answer = await door('POST', inWorkspace('/upstreams'), { body: {}, headers: { 'x-change-reason': reason } })
      expect(answer.status).toBe(422)
    }
    expect(await version()).toBe(0)
  })

  test('the state at each version is what was there then', async () => {
    const states: unknown[] = []
    const keep = async () => states.push(await state())
    const upstream = await newUpstream('web')
    await keep()
    const host = await newHost({ locations: [{ path: '/', upstream_id: upstream.id }] })
    await keep()
    await ok('PATCH', `/upstreams/${upstream.id}`, { body: { name: 'api' } })
    await keep()
    await ok('DELETE', `/virtual-hosts/${host.id}`)
    await keep()
    expect(states[1]).toEqual({
      virtual_hosts: [host],
      stream_hosts: [],
      upstreams: [upstream],
      certificates: [],
      settings: { nginx_directives: {}, env_vars: {} },
    })
    for (const [index, then] of states.entries()) {
      expect((await ok('GET', inWorkspace(`/revisions/${index + 1}`))).state).toEqual(then)
    }
    for (const none of ['0', '5', '99999999', 'x']) expect((await door('GET', inWorkspace(`/revisions/${none}`))).status).toBe(404)
  })

  test('a diff names what was added, removed and changed, by field', async () => {
    const upstream = await newUpstream('web')
    const host = await newHost({ locations: [{ path: '/', upstream_id: upstream.id }] })
    await ok('PATCH', `/virtual-hosts/${host.id}`, { body: { listen_port: 81, locations: [{ path: '/a', root: '/srv' }] } })
    await ok('DELETE', `/upstreams/${upstream.id}`)
    await ok('PATCH', inWorkspace('/settings'), { body: { env_vars: { TZ: 'UTC' } } })
    const step = await ok('GET', inWorkspace('/revisions/3/diff'))
    expect(step).toEqual({
      from: 2,
      to: 3,
      added: [],
      removed: [],
      changed: [
        {
          kind: 'virtual_host',
          id: host.id,
          name: 'Site',
          fields: expect.arrayContaining([
            { field: 'listen_port', before: 80, after: 81 },
            { field: 'locations.0.path', before: '/', after: '/a' },
            { field: 'locations.0.upstream_id', before: upstream.id },
            { field: 'locations.0.root', after: '/srv' },
          ]),
        },
      ],
    })
    expect(step.changed[0].fields).toHaveLength(4)
    const whole = await ok('GET', inWorkspace('/revisions/5/diff?against=1'))
    expect([whole.added.map(idOf), whole.removed.map(idOf)]).toEqual([[host.id], [upstream.id]])
    expect(whole.changed).toEqual([{ kind: 'settings', id: workspace, name: 'settings', fields: [{ field: 'env_vars.TZ', after: 'UTC' }] }])
    const backwards = await ok('GET', inWorkspace('/revisions/1/diff?against=5'))
    expect([backwards.added.map(idOf), backwards.removed.map(idOf)]).toEqual([[upstream.id], [host.id]])
    expect((await ok('GET', inWorkspace('/revisions/1/diff'))).added.map(idOf)).toEqual([upstream.id])
    expect((await door('GET', inWorkspace('/revisions/1/diff?against=6'))).status).toBe(422)
    expect((await door('GET', inWorkspace('/revisions/6/diff'))).status).toBe(404)
    function idOf({ id }: { id: string }) {
      return id
    }
  })

  describe('rollback', () => {
    test('makes a new version with the old content of everything at once', async () => {
      const upstream = await newUpstream('web')
      const host = await newHost({ locations: [{ path: '/', upstream_id: upstream.id }] })
      await ok('PATCH', inWorkspace('/settings'), { body: { env_vars: { TZ: 'UTC' } } })
      const then = await state()
      await ok('DELETE', `/virtual-hosts/${host.id}`)
      await ok('DELETE', `/upstreams/${upstream.id}`)
      const other = await newHost({ server_name: host.server_name })
      await ok('PATCH', inWorkspace('/settings'), { body: { env_vars: { TZ: 'CET' } } })
      const { body } = await rollback(3, { reason: 'the new one was wrong' })
      expect(body).toMatchObject({ changed: true, version: 8 })
      expect(withoutTimes(await state())).toEqual(withoutTimes(then))
      expect(await ok('GET', `/virtual-hosts/${host.id}`)).toMatchObject({ created_at: host.created_at, server_name: host.server_name })
      expect((await door('GET', `/virtual-hosts/${other.id}`)).status).toBe(404)
      const [newest] = (await ok('GET', inWorkspace('/revisions'))).data
      expect(newest).toMatchObject({ version: 8, reason: 'the new one was wrong', author: administrator.email })
      const done = newest.changes.map(({ id, action }: { id: string; action: string }) => [id, action])
      expect(Object.fromEntries(done)).toEqual({
        [host.id]: 'created',
        [other.id]: 'deleted',
        [upstream.id]: 'created',
        [workspace]: 'changed',
      })
    })

    test('to what is there already makes no version and says so', async () => {
      const upstream = await newUpstream('web')
      await ok('PATCH', `/upstreams/${upstream.id}`, { body: { name: 'api' } })
      await ok('PATCH', `/upstreams/${upstream.id}`, { body: { name: 'web' } })
      const { status, body } = await rollback(1)
      expect([status, body]).toEqual([200, { changed: false, version: 3, message: expect.stringContaining('already'), changes: [] }])
      expect(await version()).toBe(3)
    })

    test('names that went round in a ring go back', async () => {
      const [a, b, c] = [await newUpstream('a'), await newUpstream('b'), await newUpstream('c')]
      const rename = (id: string, name: string) => ok('PATCH', `/upstreams/${id}`, { body: { name } })
      await rename(a.id, 'x')
      await rename(c.id, 'a')
      await rename(b.id, 'c')
      await rename(a.id, 'b')
      expect((await rollback(3)).status).toBe(200)
      const names = (await state()).upstreams.map(({ name }: { name: string }) => name)
      expect(names).toEqual(['a', 'b', 'c'])
    })

    test('an upstream name that was taken meanwhile goes back with the rest', async () => {
      const first = await newUpstream('web')
      await ok('DELETE', `/upstreams/${first.id}`)
      const second = await newUpstream('web')
      expect((await rollback(1)).body).toMatchObject({ changed: true, version: 4 })
      expect((await state()).upstreams.map(({ id }: { id: string }) => id)).toEqual([first.id])
      expect((await rollback(3)).body).toMatchObject({ changed: true, version: 5 })
      expect((await state()).upstreams.map(({ id }: { id: string }) => id)).toEqual([second.id])
    })

    test('the tag of what comes back is none that it had before', async () => {
      const upstream = await newUpstream('web')
      const tags = new Set<string>()
      const tag = async () => (await door('GET', `/upstreams/${upstream.id}`)).headers.get('etag')!
      tags.add(await tag())
      await ok('PATCH', `/upstreams/${upstream.id}`, { body: { name: 'api' } })
      tags.add(await tag())
      await ok('DELETE', `/upstreams/${upstream.id}`)
      await rollback(1)
      expect(tags).not.toContain(await tag())
    })

    test('is refused whole where something it needs is gone, and names it', async () => {
      const { agent_id } = await ok('POST', inWorkspace('/agents/tokens'), { body: { name: 'a' } })
      const host = await newHost({ target_agents: { type: 'agents', agent_ids: [agent_id] } })
      await newUpstream('web')
      await ok('DELETE', `/virtual-hosts/${host.id}`)
      await ok('DELETE', `/agents/${agent_id}`)
      const before = await state()
      const { status, body } = await rollback(2)
      expect([status, body.error.details]).toEqual([
        422,
        [
          {
            field: `virtual_hosts.${host.id}.target_agents.agent_ids.0`,
            message: expect.stringContaining('no such agent'),
            code: 'UNKNOWN_REFERENCE',
          },
        ],
      ])
      expect([await version(), await state()]).toEqual([3, before])
    })

    test('is refused where virtual hosts would meet on an agent that did not exist then', async () => {
      const target = (label_selector: string) => ({ target_agents: { type: 'selector', label_selector } })
      const one = await newHost({ server_name: 'same.test', ...target('env=a') })
      const two = await newHost({ server_name: 'same.test', ...target('region=b') })
      await ok('PATCH', `/virtual-hosts/${two.id}`, { body: { server_name: 'other.test' } })
      await ok('POST', inWorkspace('/agents/tokens'), { body: { name: 'both', labels: { env: 'a', region: 'b' } } })
      const { status, body } = await rollback(2)
      expect([status, body.error.code]).toEqual([409, 'CONFLICT'])
      expect(body.error.details).toEqual([expect.objectContaining({ field: `virtual_hosts.${two.id}.server_name` })])
      expect(body.error.details[0].message).toContain(one.id)
      expect(await version()).toBe(3)
    })

    test('is refused for a version that is none', async () => {
      await newUpstream('web')
      expect((await rollback(2)).status).toBe(404)
      for (const bad of [0, -1, 1.5, '1', null]) expect((await rollback(bad as number)).status).toBe(422)
      expect(await version()).toBe(1)
    })

    test('beside other writers loses nothing and skips no version', async () => {
      const upstream = await newUpstream('web')
      await ok('PATCH', `/upstreams/${upstream.id}`, { body: { servers: [{ address: '127.0.0.1:9009' }] } })
      const work = Array.from({ length: 24 }, (_, index) =>
        index % 4 === 0 ? rollback((index % 2) + 1) : newHost({ server_name: `${fresh('w')}.test` }),
      )
      await Promise.all(work)
      const last = await version()
      const { data } = await ok('GET', inWorkspace('/revisions?per_page=100'))
      expect(data.map((each: { version: number }) => each.version)).toEqual(Array.from({ length: last }, (_, index) => last - index))
      const hosts = await ok('GET', inWorkspace('/virtual-hosts?per_page=100'))
      expect((await state()).virtual_hosts).toEqual(hosts.data)
    })
  })
})
