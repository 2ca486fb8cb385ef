import { ApiError } from '@nxmesh/api/errors'
import { routes } from '@nxmesh/api/routes'
import { administrator, signIn, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

let stack: AsyncDisposableStack
let mesh: TestMaster
const nowhere = '550e8400-e29b-41d4-a716-446655440000'

async function raw(method: string, path: string, options: { body?: string; headers?: Record<string, string>; token?: string } = {}) {
  const headers = { ...(options.body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers }
  const authorization = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }
  const body = options.body === undefined ? {} : { body: options.body }
  const response = await fetch(`${mesh.base}${path}`, { method, headers: { ...headers, ...authorization }, ...body })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}

async function token(): Promise<string> {
  const { body } = await raw('POST', '/v1/auth/login', { body: JSON.stringify(administrator) })
  return body.access_token
}

async function refusal(call: Promise<unknown>): Promise<ApiError> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(outcome instanceof ApiError)) throw new Error('it was not refused', { cause: outcome })
  return outcome
}

let counter = 0
const fresh = (prefix: string) => `${prefix}-${++counter}`

async function newWorkspace(): Promise<string> {
  const slug = fresh('ws')
  const params = { organization_id: mesh.organizationId }
  return (await mesh.client.call(routes.createWorkspace, { params, body: { name: slug, slug } })).id
}

function newUpstream(workspaceId: string, name = fresh('up')) {
  const body = { name, servers: [{ address: '127.0.0.1:9000' }] }
  return mesh.client.call(routes.createUpstream, { params: { workspace_id: workspaceId }, body })
}

function newHost(workspaceId: string, changes: object = {}) {
  const body = { name: 'Site', server_name: `${fresh('site')}.example.com`, listen_port: 80, ...changes }
  return mesh.client.call(routes.createVirtualHost, { params: { workspace_id: workspaceId }, body })
}

describe.each(stores)('on $name', (store) => {
  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, await opened.settings()))
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  describe('sign-in', () => {
    test('gives a bearer token for an hour and a refresh token', async () => {
      const { status, body } = await raw('POST', '/v1/auth/login', { body: JSON.stringify(administrator) })
      expect(status).toBe(200)
      expect(body).toEqual({ access_token: expect.any(String), refresh_token: expect.any(String), expires_in: 3600, token_type: 'Bearer' })
      expect(JSON.parse(Buffer.from(body.access_token.split('.')[0], 'base64url').toString())).toMatchObject({ alg: 'RS256', typ: 'JWT' })
    })

    test('says the same for a wrong password and an unknown account', async () => {
      for (const email of [administrator.email, 'nobody@example.com']) {
        const { status, body } = await raw('POST', '/v1/auth/login', { body: JSON.stringify({ email, password: 'wrong' }) })
        expect([status, body.error.code, body.error.message]).toEqual([401, 'UNAUTHORIZED', 'wrong e-mail address or password'])
      }
    })

    test('a refresh token works once; its second use ends the whole family', async () => {
      const first = (await raw('POST', '/v1/auth/login', { body: JSON.stringify(administrator) })).body
      const use = (refresh_token: string) => raw('POST', '/v1/auth/refresh', { body: JSON.stringify({ refresh_token }) })
      const second = await use(first.refresh_token)
      expect(second.status).toBe(200)
      expect((await use(first.refresh_token)).status).toBe(401)
      expect((await use(second.body.refresh_token)).status).toBe(401)
    })

    test('everything else needs a token, before the body or the id are looked at', async () => {
      for (const [method, path] of [
        ['GET', '/v1/organizations'],
        ['POST', `/v1/workspaces/${nowhere}/upstreams`],
        ['GET', '/v1/agents/not-an-id'],
      ] as const) {
        const { status, body, headers } = await raw(method, path, method === 'POST' ? { body: '{' } : {})
        expect([status, body.error.code]).toEqual([401, 'UNAUTHORIZED'])
        expect(headers.get('www-authenticate')).toBe('Bearer')
      }
    })
  })

  describe('errors', () => {
    test('have the envelope, with the request id that was sent', async () => {
      const { status, body, headers } = await raw('GET', `/v1/organizations/${nowhere}`, {
        token: await token(),
        headers: { 'x-request-id': 'req-abc-123' },
      })
      expect(status).toBe(404)
      expect(body).toEqual({ error: { code: 'NOT_FOUND', message: 'organization not found', request_id: 'req-abc-123', details: [] } })
      expect(headers.get('x-request-id')).toBe('req-abc-123')
    })

    test('a request id that could forge a log line is replaced', async () => {
      const { body } = await raw('GET', '/v1/nothing', { headers: { 'x-request-id': 'a b' } })
      expect(body.error.request_id).toMatch(/^req-[0-9a-f-]{36}$/)
    })

    test.each([
      ['not JSON', '{"name":', 'body', 'INVALID_FORMAT'],
      ['no object', '[]', 'body', 'INVALID_TYPE'],
      ['a missing field', '{"slug":"x"}', 'name', 'REQUIRED'],
      ['a wrong type', '{"name":1,"slug":"x"}', 'name', 'INVALID_TYPE'],
      ['an unknown field', '{"name":"x","slug":"x","colour":"red"}', 'colour', 'UNKNOWN_FIELD'],
      ['a bad slug', '{"name":"x","slug":"Not A Slug"}', 'slug', 'INVALID_FORMAT'],
      ['control characters', '{"name":"a\\u0000b","slug":"x"}', 'name', 'INVALID_FORMAT'],
      ['half a surrogate pair', '{"name":"\\ud800","slug":"x"}', 'body', 'INVALID_FORMAT'],
      ['absurd depth', `{"name":${'['.repeat(5000)}${']'.repeat(5000)}}`, 'body', 'INVALID_VALUE'],
    ])('%s is refused with the field', async (_what, body, field, code) => {
      const answer = await raw('POST', '/v1/organizations', { body, token: await token() })
      expect(answer.status).toBe(422)
      expect(answer.body.error.code).toBe('VALIDATION_ERROR')
      expect(answer.body.error.details).toContainEqual({ field, message: expect.any(String), code })
    })

    test('another media type is refused', async () => {
      const answer = await raw('POST', '/v1/organizations', {
        body: 'a=b',
        token: await token(),
        headers: { 'content-type': 'text/plain' },
      })
      expect([answer.status, answer.body.error.code]).toEqual([422, 'VALIDATION_ERROR'])
    })
  })

  describe('organizations and workspaces', () => {
    test('are created, listed in pages, renamed and deleted', async () => {
      const slug = fresh('acme')
      const acme = await mesh.client.call(routes.createOrganization, { body: { name: 'Acme Corp', slug } })
      expect(acme).toEqual({
        id: expect.any(String),
        name: 'Acme Corp',
        slug,
        created_at: acme.updated_at,
        updated_at: expect.stringMatching(/Z$/),
      })
      const params = { organization_id: acme.id }
      expect((await mesh.client.call(routes.updateOrganization, { params, body: { name: 'Acme Corporation' } })).name).toBe(
        'Acme Corporation',
      )
      for (const name of ['One', 'Two', 'Three'])
        await mesh.client.call(routes.createWorkspace, { params, body: { name, slug: name.toLowerCase() } })
      const page = await mesh.client.call(routes.listWorkspaces, { params, query: { page: '2', per_page: '2' } })
      expect([page.data.map((workspace) => workspace.name), page.meta]).toEqual([['Three'], { page: 2, per_page: 2, total: 3 }])
      await mesh.client.call(routes.deleteOrganization, { params })
      expect((await refusal(mesh.client.call(routes.getOrganization, { params }))).code).toBe('NOT_FOUND')
    })

    test('a slug that is taken is a conflict', async () => {
      const slug = fresh('taken')
      await mesh.client.call(routes.createOrganization, { body: { name: 'A', slug } })
      const error = await refusal(mesh.client.call(routes.createOrganization, { body: { name: 'B', slug } }))
      expect([error.code, error.details[0]?.field]).toEqual(['CONFLICT', 'slug'])
    })

    test.each(['page=0', 'page=x', 'per_page=101', 'per_page=0', 'page=1&page=2', 'colour=red'])('?%s is refused', async (query) => {
      expect((await raw('GET', `/v1/organizations?${query}`, { token: await token() })).status).toBe(422)
    })

    test('a workspace with registered agents is deleted only by force', async () => {
      const workspace_id = await newWorkspace()
      const created = await mesh.client.call(routes.createAgentToken, { params: { workspace_id }, body: { name: 'a' } })
      await mesh.master.ctx.db
        .updateTable('agents')
        .set({ registered_at: '2026-01-01T00:00:00Z' })
        .where('id', '=', created.agent_id)
        .execute()
      const error = await refusal(mesh.client.call(routes.deleteWorkspace, { params: { workspace_id } }))
      expect([error.code, error.details[0]?.code]).toEqual(['CONFLICT', 'IN_USE'])
      await mesh.client.call(routes.deleteWorkspace, { params: { workspace_id }, query: { force: 'true' } })
      expect((await refusal(mesh.client.call(routes.getAgent, { params: { agent_id: created.agent_id } }))).code).toBe('NOT_FOUND')
    })
  })

  describe('upstreams and virtual hosts', () => {
    test('defaults are shown, and each change raises the version by one', async () => {
      const workspace_id = await newWorkspace()
      const upstream = await newUpstream(workspace_id)
      expect(upstream).toMatchObject({
        algorithm: 'round_robin',
        servers: [{ address: '127.0.0.1:9000', weight: 1, backup: false, down: false, max_fails: 1, fail_timeout: 10 }],
        health_check: null,
      })
      const host = await newHost(workspace_id, { locations: [{ path: '/', upstream_id: upstream.id }] })
      expect(host).toMatchObject({ ssl_enabled: false, http2_enabled: false, target_agents: { type: 'all' } })
      await mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: host.id }, body: { name: 'Renamed' } })
      const workspace = await mesh.client.call(routes.getWorkspace, { params: { workspace_id } })
      expect(workspace.config_version).toBe(3)
      const history = await mesh.master.ctx.db
        .selectFrom('history')
        .selectAll()
        .where('workspace_id', '=', workspace_id)
        .orderBy('version')
        .execute()
      expect(history.map(({ version, kind, id }) => [version, kind, id])).toEqual([
        [1, 'upstream', upstream.id],
        [2, 'virtual_host', host.id],
        [3, 'virtual_host', host.id],
      ])
    })

    test('PATCH keeps what is absent, clears what is null, replaces arrays', async () => {
      const host = await newHost(await newWorkspace(), {
        custom_directives: { client_max_body_size: '10m', keepalive_timeout: '5s' },
        locations: [{ path: '/a', root: '/srv' }],
      })
      const params = { virtual_host_id: host.id }
      const body = { custom_directives: { keepalive_timeout: null }, locations: [{ path: '/b', root: '/srv' }] }
      const after = (await raw('PATCH', `/v1/virtual-hosts/${host.id}`, { body: JSON.stringify(body), token: await token() })).body
      expect(after).toMatchObject({ name: host.name, custom_directives: { client_max_body_size: '10m' }, locations: [{ path: '/b' }] })
      expect(await mesh.client.call(routes.getVirtualHost, { params })).toEqual(after)
      const refused = await raw('PATCH', `/v1/virtual-hosts/${host.id}`, { body: '{"server_name":null}', token: await token() })
      expect(refused.body.error.details).toEqual([{ field: 'server_name', message: 'is required', code: 'REQUIRED' }])
    })

    test('another kind of target replaces the old one', async () => {
      const host = await newHost(await newWorkspace(), { target_agents: { type: 'selector', label_selector: 'env=production' } })
      const after = await mesh.client.call(routes.updateVirtualHost, {
        params: { virtual_host_id: host.id },
        body: { target_agents: { type: 'all' } },
      })
      expect(after.target_agents).toEqual({ type: 'all' })
    })

    test('a stale If-Match changes nothing', async () => {
      const host = await newHost(await newWorkspace())
      const path = `/v1/virtual-hosts/${host.id}`
      const before = await raw('GET', path, { token: await token() })
      const etag = before.headers.get('etag')!
      const update = (name: string) => raw('PATCH', path, { body: JSON.stringify({ name }), token: access, headers: { 'if-match': etag } })
      const access = await token()
      expect((await update('first')).status).toBe(200)
      const second = await update('second')
      expect([second.status, second.body.error.code]).toEqual([412, 'PRECONDITION_FAILED'])
      expect((await raw('GET', path, { token: access })).body.name).toBe('first')
    })

    test.each([
      ['a domain that is none', { server_name: 'not a/domain' }, 'server_name'],
      ['a port out of range', { listen_port: 70_000 }, 'listen_port'],
      ['an unknown upstream', { locations: [{ path: '/', upstream_id: nowhere }] }, 'locations.0.upstream_id'],
      ['an unknown certificate', { ssl_enabled: true, ssl_certificate_id: nowhere }, 'ssl_certificate_id'],
      ['TLS without a certificate', { ssl_enabled: true }, 'ssl_certificate_id'],
      ['an unknown agent', { target_agents: { type: 'agents', agent_ids: [nowhere] } }, 'target_agents.agent_ids.0'],
      ['a bad selector', { target_agents: { type: 'selector', label_selector: 'a in (' } }, 'target_agents.label_selector'],
      ['two locations of one path', { locations: [{ path: '/a' }, { path: '/a' }] }, 'locations.1.path'],
      ['a directive that breaks out', { custom_directives: { add_header: 'X y; } server { listen 81; ' } }, 'custom_directives.add_header'],
      ['a directive that reads files', { custom_directives: { include: '/etc/passwd' } }, 'custom_directives.include'],
      [
        'a header with a line break',
        { locations: [{ path: '/', custom_headers: [{ name: 'X', value: 'a\\r\\nB: c' }] }] },
        'locations.0.custom_headers.0.value',
      ],
    ])('%s is refused, and the version stays', async (_what, changes, field) => {
      const workspace_id = await newWorkspace()
      const error = await refusal(newHost(workspace_id, changes))
      expect([error.code, error.details.map((detail) => detail.field)]).toEqual(['VALIDATION_ERROR', expect.arrayContaining([field])])
      expect((await mesh.client.call(routes.getWorkspace, { params: { workspace_id } })).config_version).toBe(0)
    })

    test('one name and port belong to one virtual host on an agent', async () => {
      const workspace_id = await newWorkspace()
      const claim = (target: object) => newHost(workspace_id, { server_name: 'Claimed.example.com', target_agents: target })
      await claim({ type: 'selector', label_selector: 'env=a' })
      await claim({ type: 'selector', label_selector: 'env=b' })
      const error = await refusal(claim({ type: 'all' }))
      expect([error.code, error.details.map((detail) => detail.field)]).toEqual(['CONFLICT', ['server_name', 'server_name']])
    })

    test('an upstream in use is not deleted, and the answer names the user', async () => {
      const workspace_id = await newWorkspace()
      const upstream = await newUpstream(workspace_id)
      const host = await newHost(workspace_id, { locations: [{ path: '/', upstream_id: upstream.id }] })
      const error = await refusal(mesh.client.call(routes.deleteUpstream, { params: { upstream_id: upstream.id } }))
      expect([error.code, error.details[0]?.message]).toEqual(['CONFLICT', expect.stringContaining(host.id)])
      await mesh.client.call(routes.deleteVirtualHost, { params: { virtual_host_id: host.id } })
      await mesh.client.call(routes.deleteUpstream, { params: { upstream_id: upstream.id } })
    })

    test('50 writers at once lose no update and skip no version', async () => {
      const workspace_id = await newWorkspace()
      await Promise.all(Array.from({ length: 50 }, () => newHost(workspace_id)))
      const list = await mesh.client.call(routes.listVirtualHosts, { params: { workspace_id }, query: { per_page: '100' } })
      const workspace = await mesh.client.call(routes.getWorkspace, { params: { workspace_id } })
      expect([list.meta.total, workspace.config_version]).toEqual([50, 50])
    })
  })

  describe('agents', () => {
    test('a token makes the agent at once, offline', async () => {
      const workspace_id = await newWorkspace()
      const body = { name: 'web-server-02', labels: { env: 'production' }, expires_in_hours: 24 }
      const created = await mesh.client.call(routes.createAgentToken, { params: { workspace_id }, body })
      expect(created).toEqual({
        token: expect.stringMatching(/^nxmesh_agent_/),
        agent_id: expect.any(String),
        expires_at: expect.stringMatching(/Z$/),
      })
      const agent = await mesh.client.call(routes.getAgent, { params: { agent_id: created.agent_id } })
      expect(agent).toMatchObject({
        name: 'web-server-02',
        state: 'offline',
        labels: { env: 'production' },
        last_seen_at: null,
        health: null,
      })
      const dump = JSON.stringify(await mesh.master.ctx.db.selectFrom('agents').selectAll().where('id', '=', created.agent_id).execute())
      expect(dump).not.toContain(created.token.slice(-30))
    })

    test('are filtered by state and labels; labels set centrally win', async () => {
      const workspace_id = await newWorkspace()
      const create = (name: string, labels: Record<string, string>) =>
        mesh.client.call(routes.createAgentToken, { params: { workspace_id }, body: { name, labels } })
      const first = await create('a', { env: 'production', region: 'us-east' })
      await create('b', { env: 'staging' })
      const found = async (query: object) =>
        (await mesh.client.call(routes.listAgents, { params: { workspace_id }, query })).data.map((agent) => agent.name)
      expect(await found({ label_selector: 'env=production,region=us-east' })).toEqual(['a'])
      expect(await found({ label_selector: 'env in (production,staging),!region' })).toEqual(['b'])
      expect(await found({ state: 'online' })).toEqual([])
      expect(await found({ state: 'offline' })).toEqual(['a', 'b'])
      await mesh.client.call(routes.updateAgent, { params: { agent_id: first.agent_id }, body: { labels: { env: 'staging' } } })
      expect(await found({ label_selector: 'env=staging' })).toEqual(['a', 'b'])
    })

    test('a command to an agent that is offline is a conflict', async () => {
      const created = await mesh.client.call(routes.createAgentToken, {
        params: { workspace_id: await newWorkspace() },
        body: { name: 'x' },
      })
      expect((await refusal(mesh.client.call(routes.reloadAgent, { params: { agent_id: created.agent_id } }))).code).toBe('CONFLICT')
    })
  })

  test('a stranger finds nothing of another organization', async () => {
    const { ctx } = mesh.master
    const { hashPassword } = await import('../src/passwords.ts')
    const stranger = { email: 'stranger@example.com', password: 'another good password' }
    await ctx.db
      .insertInto('users')
      .values({ id: nowhere, email: stranger.email, password_hash: await hashPassword(stranger.password), created_at: '' })
      .execute()
    const client = await signIn(mesh.base, stranger)
    const workspace_id = await newWorkspace()
    const host = await newHost(workspace_id)
    expect((await client.call(routes.listOrganizations, {})).data).toEqual([])
    for (const call of [
      () => client.call(routes.getOrganization, { params: { organization_id: mesh.organizationId } }),
      () => client.call(routes.listVirtualHosts, { params: { workspace_id } }),
      () => client.call(routes.getVirtualHost, { params: { virtual_host_id: host.id } }),
      () => client.call(routes.deleteVirtualHost, { params: { virtual_host_id: host.id } }),
      () => client.call(routes.createAgentToken, { params: { workspace_id }, body: { name: 'mine' } }),
    ]) {
      expect((await refusal(call())).code).toBe('NOT_FOUND')
    }
  })

  test('no query of all these reads a whole table', async () => {
    expect(mesh.queries.size).toBeGreaterThan(40)
    expect(await unindexed(mesh.master.ctx.db, mesh.queries)).toEqual([])
  })
})
