// Replays every example of the published contract that is not about certificates, metrics or access logs against a running master.
import { contract, contractError } from '@nxmesh/api/examples/contract'
import type { Route } from '@nxmesh/api/route'
import { routes } from '@nxmesh/api/routes'
import { accessToken, administrator } from '@nxmesh/testkit/master'
import { type Mesh, startMesh } from '@nxmesh/testkit/mesh'
import { newPerson } from '@nxmesh/testkit/people'
import { type OpenStore, stores } from '@nxmesh/testkit/stores'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { shapeProblems } from './contract-shape.ts'

type Shown = keyof typeof contract

interface Exchange {
  params?: Record<string, string>
  query?: Record<string, string>
  body?: unknown
  token?: string | undefined
  headers?: Record<string, string>
}

interface Answer {
  status: number
  headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any
}

const nowhere = '550e8400-e29b-41d4-a716-446655440000'

describe.each(stores)('on $name', (kind) => {
  let store: OpenStore
  let mesh: Mesh
  let token: string
  const made: Record<string, string> = {}

  beforeAll(async () => {
    store = await kind.open()
    mesh = await startMesh({ agents: 0, settings: await store.settings() })
    await mesh.addAgent('web-server-01', { labels: { env: 'production', region: 'us-east-1' } })
    token = await accessToken(mesh.base)
  }, 90_000)

  afterAll(async () => {
    await mesh?.[Symbol.asyncDispose]()
    await store?.[Symbol.asyncDispose]()
  })

  /** Sends what the contract shows for a route, with ids that exist here, and whatever else is given. */
  async function send(name: Shown, { params = {}, query, body, token: bearer = token, headers = {} }: Exchange = {}): Promise<Answer> {
    const route: Route = routes[name]
    const example = contract[name] as Exchange
    const path = route.path.replaceAll(/\{(\w+)\}/g, (_whole, key: string) => params[key]!)
    const text = new URLSearchParams(query ?? example.query ?? {}).toString()
    const content = body === undefined ? example.body : body
    const response = await fetch(`${mesh.base}/v1${path}${text === '' ? '' : `?${text}`}`, {
      method: route.method,
      headers: {
        ...(content === undefined ? {} : { 'content-type': 'application/json' }),
        ...(bearer === '' ? {} : { authorization: `Bearer ${bearer}` }),
        ...headers,
      },
      ...(content === undefined ? {} : { body: JSON.stringify(content) }),
    })
    const answer = await response.text()
    return { status: response.status, headers: response.headers, body: answer === '' ? undefined : JSON.parse(answer) }
  }

  function expectShape(answer: Answer, status: number, shown: unknown) {
    expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'application/json; charset=utf-8'])
    expect(answer.headers.get('x-request-id')).toMatch(/^req-/)
    expect(shapeProblems(shown, answer.body)).toEqual([])
  }

  function expectGone(answer: Answer) {
    expect([answer.status, answer.body, answer.headers.get('content-type')]).toEqual([204, undefined, null])
  }

  function expectError(answer: Answer, status: number, code: string) {
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
    expect(answer.body).toEqual({
      error: { code, message: expect.any(String), request_id: answer.headers.get('x-request-id'), details: expect.any(Array) },
    })
    for (const detail of answer.body.error.details) {
      expect(detail).toEqual({ field: expect.any(String), message: expect.any(String), code: expect.any(String) })
    }
  }

  describe('authentication', () => {
    const shown = contract.login.response

    test('login and refresh answer with a bearer token for an hour', async () => {
      const login = await send('login', { body: administrator, token: '' })
      expectShape(login, 200, shown)
      expect(login.body).toMatchObject({ expires_in: 3600, token_type: 'Bearer' })
      const refresh = await send('refresh', { body: { refresh_token: login.body.refresh_token }, token: '' })
      expectShape(refresh, 200, shown)
      expect((await send('listOrganizations', { token: refresh.body.access_token })).status).toBe(200)
    })

    test('the access token is a JWT signed with RS256', async () => {
      const header = (part: string) => JSON.parse(Buffer.from(part.split('.')[0]!, 'base64url').toString())
      expect(header(token)).toMatchObject({ ...header(shown.access_token) })
    })

    test('the credentials of the example are nobody here', async () => {
      expectError(await send('login', { token: '' }), 401, 'UNAUTHORIZED')
      expectError(await send('refresh', { token: '' }), 401, 'UNAUTHORIZED')
    })
  })

  describe('organizations', () => {
    const [shown] = contract.listOrganizations.response.data

    test('create', async () => {
      const answer = await send('createOrganization')
      expectShape(answer, 201, shown)
      expect(answer.body).toMatchObject(contract.createOrganization.body)
      made['organization_id'] = answer.body.id
    })

    test('list', async () => {
      const answer = await send('listOrganizations')
      expectShape(answer, 200, contract.listOrganizations.response)
      expect(answer.body.meta).toEqual({ page: 1, per_page: 20, total: 2 })
    })

    test('get and update', async () => {
      expectShape(await send('getOrganization', { params: made }), 200, shown)
      const answer = await send('updateOrganization', { params: made })
      expectShape(answer, 200, shown)
      expect(answer.body).toMatchObject({ name: 'Acme Corporation', slug: 'acme-corp' })
    })

    test('a slug that is taken', async () => {
      expectError(await send('createOrganization'), 409, 'CONFLICT')
    })

    test('delete', async () => {
      const other = await send('createOrganization', { body: { name: 'Short-lived', slug: 'short-lived' } })
      const params = { organization_id: other.body.id }
      expectGone(await send('deleteOrganization', { params }))
      expectError(await send('getOrganization', { params }), 404, 'NOT_FOUND')
    })
  })

  describe('workspaces', () => {
    const [shown] = contract.listWorkspaces.response.data

    test('create', async () => {
      const answer = await send('createWorkspace', { params: made })
      expectShape(answer, 201, shown)
      expect(answer.body).toMatchObject({ ...contract.createWorkspace.body, organization_id: made['organization_id'] })
      made['workspace_id'] = answer.body.id
    })

    test('list', async () => {
      const answer = await send('listWorkspaces', { params: made })
      expectShape(answer, 200, contract.listWorkspaces.response)
      expect(answer.body.meta).toEqual({ page: 1, per_page: 20, total: 1 })
    })

    test('get and update', async () => {
      expectShape(await send('getWorkspace', { params: made }), 200, shown)
      const answer = await send('updateWorkspace', { params: made })
      expectShape(answer, 200, shown)
      expect(answer.body).toMatchObject({ name: 'Staging Environment', slug: 'staging' })
    })

    test('delete', async () => {
      const other = await send('createWorkspace', { params: made, body: { name: 'Short-lived', slug: 'short-lived' } })
      const params = { workspace_id: other.body.id }
      expectGone(await send('deleteWorkspace', { params }))
      expectError(await send('getWorkspace', { params }), 404, 'NOT_FOUND')
    })
  })

  describe('agents', () => {
    const here = () => ({ workspace_id: mesh.workspaceId, agent_id: mesh.agents[0]!.id })

    test('list', async () => {
      const answer = await send('listAgents', { params: here() })
      expectShape(answer, 200, contract.listAgents.response)
      expect(answer.body.data).toMatchObject([
        { name: 'web-server-01', state: 'online', labels: { env: 'production', region: 'us-east-1' } },
      ])
    })

    test.each(['online', 'offline', 'degraded', 'all'])('list of state %s', async (state) => {
      const answer = await send('listAgents', { params: here(), query: { state } })
      expect([answer.status, answer.body.data.length]).toEqual([200, state === 'online' || state === 'all' ? 1 : 0])
    })

    test('list by label', async () => {
      const found = async (label_selector: string) =>
        (await send('listAgents', { params: here(), query: { label_selector } })).body.data.length
      expect(await found('env=production,region=us-east')).toBe(0)
      expect(await found('env=production,region=us-east-1')).toBe(1)
    })

    test('get, with its health', async () => {
      const answer = await send('getAgent', { params: here() })
      expectShape(answer, 200, contract.getAgent.response)
      expect(answer.body.health).toMatchObject({ nginx_status: 'running' })
    })

    test('create a registration token', async () => {
      const before = Date.now()
      const answer = await send('createAgentToken', { params: here() })
      expectShape(answer, 201, contract.createAgentToken.response)
      expect(answer.body.token).toMatch(/^nxmesh_agent_eyJ/)
      const day = Date.parse(answer.body.expires_at) - before
      expect(day).toBeGreaterThanOrEqual(24 * 3_600_000)
      expect(day).toBeLessThan(24 * 3_600_000 + 60_000)
      made['new_agent_id'] = answer.body.agent_id
    })

    test('update', async () => {
      const answer = await send('updateAgent', { params: here() })
      expectShape(answer, 200, contract.getAgent.response)
      expect(answer.body).toMatchObject(contract.updateAgent.body)
    })

    test('reload', async () => {
      const answer = await send('reloadAgent', { params: here() })
      expectShape(answer, 200, contract.reloadAgent.response)
      expect(answer.body.success, answer.body.message).toBe(true)
    })

    test('reload of an agent that is offline', async () => {
      expectError(await send('reloadAgent', { params: { agent_id: made['new_agent_id']! } }), 409, 'CONFLICT')
    })

    test('delete', async () => {
      const params = { agent_id: made['new_agent_id']! }
      expectGone(await send('deleteAgent', { params }))
      expectError(await send('getAgent', { params }), 404, 'NOT_FOUND')
    })
  })

  describe('upstreams', () => {
    const [shown] = contract.listUpstreams.response.data

    test('create', async () => {
      const answer = await send('createUpstream', { params: made })
      expectShape(answer, 201, shown)
      expect(answer.body).toMatchObject(contract.createUpstream.body)
      made['upstream_id'] = answer.body.id
    })

    test('create with the values of the list', async () => {
      const { name, algorithm, servers, health_check } = shown!
      const answer = await send('createUpstream', { params: made, body: { name, algorithm, servers, health_check } })
      expectShape(answer, 201, shown)
      expect(answer.body).toMatchObject({ name, algorithm, servers, health_check })
    })

    test('list', async () => {
      const answer = await send('listUpstreams', { params: made })
      expectShape(answer, 200, contract.listUpstreams.response)
      expect(answer.body.meta).toEqual({ page: 1, per_page: 20, total: 2 })
    })

    test('get and update', async () => {
      expectShape(await send('getUpstream', { params: made }), 200, shown)
      const answer = await send('updateUpstream', { params: made })
      expectShape(answer, 200, shown)
      expect(answer.body).toMatchObject({ name: 'web-backend', algorithm: 'least_connections', ...contract.updateUpstream.body })
      expect(answer.body.servers).toHaveLength(1)
    })

    test('delete', async () => {
      const { servers } = contract.createUpstream.body
      const other = await send('createUpstream', { params: made, body: { name: 'short-lived', servers } })
      const params = { upstream_id: other.body.id }
      expectGone(await send('deleteUpstream', { params }))
      expectError(await send('getUpstream', { params }), 404, 'NOT_FOUND')
    })
  })

  describe('virtual hosts', () => {
    // Certificates are not there yet, so a host goes without.
    const plain = { ssl_enabled: false, ssl_certificate_id: null }
    const shown = { ...contract.listVirtualHosts.response.data[0]!, ...plain }
    const example = contract.createVirtualHost.body
    const body = () => ({
      ...example,
      ...plain,
      locations: [{ ...example.locations[0]!, upstream_id: made['upstream_id']! }, example.locations[1]!],
    })

    test('create with an upstream and a certificate that are not there', async () => {
      const answer = await send('createVirtualHost', { params: made })
      expectError(answer, 422, 'VALIDATION_ERROR')
      expect(answer.body.error.details).toMatchObject([
        { field: 'locations.0.upstream_id', code: 'UNKNOWN_REFERENCE' },
        { field: 'ssl_certificate_id', code: 'UNKNOWN_REFERENCE' },
      ])
    })

    test('create', async () => {
      const answer = await send('createVirtualHost', { params: made, body: body() })
      expectShape(answer, 201, { ...shown, ...body(), target_agents: example.target_agents })
      expect(answer.body).toMatchObject(body())
      made['virtual_host_id'] = answer.body.id
    })

    test('create with the values of the list', async () => {
      const { id: _id, workspace_id: _workspace, created_at: _created, updated_at: _updated, ...input } = shown
      const answer = await send('createVirtualHost', { params: made, body: input })
      expectShape(answer, 201, shown)
      expect(answer.body).toMatchObject(input)
    })

    test('list', async () => {
      const answer = await send('listVirtualHosts', { params: made })
      expectShape(answer, 200, { ...contract.listVirtualHosts.response, data: [shown] })
      expect(answer.body.meta).toEqual({ page: 1, per_page: 20, total: 2 })
    })

    test('get and update', async () => {
      expectShape(await send('getVirtualHost', { params: made }), 200, shown)
      const [location] = contract.updateVirtualHost.body.locations
      const patch = { ...contract.updateVirtualHost.body, locations: [{ ...location!, upstream_id: made['upstream_id']! }] }
      const answer = await send('updateVirtualHost', { params: made, body: patch })
      expectShape(answer, 200, shown)
      expect(answer.body).toMatchObject({ ...patch, server_name: 'api.example.com', target_agents: example.target_agents })
      expect(answer.body.locations).toHaveLength(1)
    })

    test('an upstream in use is not deleted', async () => {
      expectError(await send('deleteUpstream', { params: made }), 409, 'CONFLICT')
    })

    test('delete', async () => {
      expectGone(await send('deleteVirtualHost', { params: made }))
      expectError(await send('getVirtualHost', { params: made }), 404, 'NOT_FOUND')
    })
  })

  describe('errors', () => {
    test('the example of the contract', async () => {
      const request_id = contractError.error.request_id
      const bad = { name: 'x', server_name: 'not a/domain', listen_port: 80 }
      const answer = await send('createVirtualHost', { params: made, body: bad, headers: { 'x-request-id': request_id } })
      expectError(answer, 422, 'VALIDATION_ERROR')
      const [detail] = contractError.error.details
      expect(answer.body.error).toMatchObject({
        ...contractError.error,
        details: [{ ...detail, message: expect.stringContaining(detail!.message) }],
      })
    })

    test('without and with a wrong token', async () => {
      for (const wrong of ['', 'x', `${token}x`]) expectError(await send('listOrganizations', { token: wrong }), 401, 'UNAUTHORIZED')
    })

    test('what one may see but not do, and what one may not see', async () => {
      const viewer = await newPerson(mesh.master.ctx, mesh.base, 'viewer@example.com', {
        organization: { id: made['organization_id']!, role: 'member' },
        workspace: { id: made['workspace_id']!, role: 'viewer' },
      })
      expect((await send('listUpstreams', { params: made, token: viewer.token })).status).toBe(200)
      expectError(await send('createUpstream', { params: made, token: viewer.token }), 403, 'FORBIDDEN')
      const elsewhere = { workspace_id: mesh.workspaceId }
      expectError(await send('listUpstreams', { params: elsewhere, token: viewer.token }), 404, 'NOT_FOUND')
    })

    test('what is not there', async () => {
      expectError(await send('getUpstream', { params: { upstream_id: nowhere } }), 404, 'NOT_FOUND')
    })
  })
})
