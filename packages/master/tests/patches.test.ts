// What a patch changes, what it leaves alone, and how a mistake is told.
import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Door, doorAt, openDoor } from './door.ts'

let stack: AsyncDisposableStack
let mesh: TestMaster
let door: Door
let workspace: string
let counter = 0

const fresh = (prefix: string) => `${prefix}-${++counter}`

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

  const post = async (path: string, body: object) => (await door('POST', path, { body })).body

  test('a patch that changes nothing makes no version, no revision and no new tag', async () => {
    const upstream = await post(`/workspaces/${workspace}/upstreams`, { name: 'web', servers: [{ address: '127.0.0.1:1' }] })
    const host = await post(`/workspaces/${workspace}/virtual-hosts`, { name: 'H', server_name: 'h.test', listen_port: 80 })
    const agent = await post(`/workspaces/${workspace}/agents/tokens`, { name: 'edge', labels: { env: 'p' } })
    const [slug, name] = [fresh('org'), 'O']
    const organization = await post('/organizations', { name, slug })
    const same: [string, object][] = [
      [`/upstreams/${upstream.id}`, { name: 'web', servers: upstream.servers }],
      [`/virtual-hosts/${host.id}`, { name: 'H', target_agents: { type: 'all' } }],
      [`/workspaces/${workspace}/settings`, { env_vars: {} }],
      [`/workspaces/${workspace}`, { name: 'W' }],
      [`/organizations/${organization.id}`, { slug, name }],
      [`/agents/${agent.agent_id}`, { name: 'edge' }],
    ]
    const version = async () => (await door('GET', `/workspaces/${workspace}`)).body.config_version
    const before = await version()
    for (const [path, body] of same) {
      for (const patch of [body, {}]) {
        const shown = await door('GET', path)
        const patched = await door('PATCH', path, { body: patch, headers: { 'if-match': shown.headers.get('etag')! } })
        expect([path, patched.status, patched.headers.get('etag')]).toEqual([path, 200, shown.headers.get('etag')])
        expect(patched.body).toEqual(shown.body)
      }
    }
    expect(await version()).toBe(before)
    expect((await door('PATCH', `/upstreams/${upstream.id}`, { body: {}, headers: { 'if-match': '"99"' } })).status).toBe(412)
  })

  test('a label that an agent has from its token is taken away by null, and comes back when all central labels go', async () => {
    const { agent_id } = await post(`/workspaces/${workspace}/agents/tokens`, { name: 'edge', labels: { env: 'p', region: 'eu' } })
    const labels = async (patch: object | null) => (await door('PATCH', `/agents/${agent_id}`, { body: { labels: patch } })).body.labels
    expect(await labels({ env: null, tier: 'web' })).toEqual({ region: 'eu', tier: 'web' })
    expect(await labels({ tier: null })).toEqual({ region: 'eu' })
    expect(await labels({ env: 'q' })).toEqual({ env: 'q', region: 'eu' })
    expect(await labels(null)).toEqual({ env: 'p', region: 'eu' })
    const selected = await door('GET', `/workspaces/${workspace}/agents?label_selector=env=p`)
    expect(selected.body.meta.total).toBe(1)
  })

  test('a POST that needs no body takes an empty object and refuses what it does not know', async () => {
    const { agent_id } = await post(`/workspaces/${workspace}/agents/tokens`, { name: 'edge' })
    expect((await door('POST', `/agents/${agent_id}/revoke`, { body: {} })).status).toBe(204)
    const refused = await door('POST', `/agents/${agent_id}/retry`, { body: { gracefully: true } })
    expect([refused.status, refused.body.error.details]).toEqual([
      422,
      [{ field: 'gracefully', message: 'is not a known field', code: 'UNKNOWN_FIELD' }],
    ])
  })

  test.each<[string, () => [string, object], object[]]>([
    [
      'a role that is missing',
      () => [`/workspaces/${workspace}/members`, { user_id: '550e8400-e29b-41d4-a716-446655440000' }],
      [{ field: 'role', message: 'is required', code: 'REQUIRED' }],
    ],
    [
      'a target without a type',
      () => [`/workspaces/${workspace}/virtual-hosts`, { name: 'H', server_name: 'h.test', listen_port: 80, target_agents: {} }],
      [{ field: 'target_agents.type', message: 'is required', code: 'REQUIRED' }],
    ],
    [
      'a password that is too short',
      () => ['/auth/password', { current_password: 'x', new_password: 'abc' }],
      [{ field: 'new_password', message: 'must have at least 8 characters', code: 'TOO_SHORT' }],
    ],
    [
      'an empty name',
      () => ['/organizations', { name: '', slug: 'x' }],
      [{ field: 'name', message: 'must not be empty', code: 'REQUIRED' }],
    ],
    [
      'an empty address',
      () => ['/auth/login', { email: '', password: 1 }],
      [
        { field: 'email', message: 'must not be empty', code: 'REQUIRED' },
        { field: 'password', message: 'must be a string', code: 'INVALID_TYPE' },
      ],
    ],
    [
      'a slug with two faults',
      () => ['/organizations', { name: 'O', slug: '' }],
      [{ field: 'slug', message: 'must not be empty', code: 'REQUIRED' }],
    ],
  ])('%s is told in plain words, once for each field', async (_what, make, details) => {
    const [path, body] = make()
    const { status, body: answer } = await door('POST', path, { body })
    expect([status, answer.error.details]).toEqual([422, details])
  })

  test('whoever is invited to more than they are gets it, and keeps what is more', async () => {
    const email = `${fresh('guest')}@example.com`
    const members = `/organizations/${mesh.organizationId}/members`
    const invite = async (role: string, workspaceRole: string) =>
      (
        await post(`/organizations/${mesh.organizationId}/invitations`, {
          email,
          role,
          workspaces: [{ workspace_id: workspace, role: workspaceRole }],
        })
      ).token
    const credentials = { email, password: 'the password of a guest' }
    const accepted = { token: await invite('member', 'viewer'), name: 'Guest', password: credentials.password }
    await doorAt(mesh.base, undefined)('POST', '/auth/invitations/accept', { body: accepted })
    const guest = await openDoor(mesh.base, credentials)
    const { body: me } = await guest('GET', '/auth/me')
    const roles = async () => [
      (await door('GET', `${members}/${me.user.id}`)).body.role,
      (await door('GET', `/workspaces/${workspace}/members/${me.user.id}`)).body.role,
    ]
    expect(await roles()).toEqual(['member', 'viewer'])
    expect((await guest('POST', '/auth/invitations/accept', { body: { token: await invite('admin', 'operator') } })).status).toBe(200)
    expect(await roles()).toEqual(['admin', 'operator'])
    await guest('POST', '/auth/invitations/accept', { body: { token: await invite('member', 'viewer') } })
    expect(await roles()).toEqual(['admin', 'operator'])
  })

  test('a reason in UTF-8 is kept as it is meant', async () => {
    const headers = { 'x-change-reason': Buffer.from('für das Café', 'utf8').toString('latin1') }
    await door('POST', `/workspaces/${workspace}/upstreams`, { body: { name: 'u', servers: [{ address: '127.0.0.1:1' }] }, headers })
    expect((await door('GET', `/workspaces/${workspace}/revisions`)).body.data[0].reason).toBe('für das Café')
  })
})
