import { createServer } from 'node:net'
import type { ApiError } from '@nxmesh/api/errors'
import { routes } from '@nxmesh/api/routes'
import type { AgentDetail } from '@nxmesh/model/agent'
import { type Mesh, startMesh } from '@nxmesh/testkit/mesh'
import { freePort } from '@nxmesh/testkit/ports'
import { addSite, type Site } from '@nxmesh/testkit/site'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { until } from '@nxmesh/testkit/until'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

const stack = new AsyncDisposableStack()
let mesh: Mesh
let good: Site
let other: Site
let load: ReturnType<Site['load']>
let agentId: string

beforeAll(async () => {
  mesh = stack.use(await startMesh())
  good = stack.use(await addSite(mesh, 'good'))
  other = stack.use(await addSite(mesh, 'other'))
  agentId = mesh.agents[0]!.id
  await mesh.settled(agentId)
})

afterAll(() => stack.disposeAsync())

beforeEach(() => {
  load = good.load()
})

afterEach(async () => {
  const { requests, failures } = await load.stop()
  expect(requests).toBeGreaterThan(0)
  expect(failures).toEqual([])
})

const hostParams = () => ({ virtual_host_id: other.id })
const change = (body: object) => mesh.client.call(routes.updateVirtualHost, { params: hostParams(), body })

/** Waits until the agent has refused the newest config, and holds the four facts to what they must be then. */
async function refused(before: AgentDetail): Promise<AgentDetail> {
  const agent = await until('the agent to be degraded', async () => {
    const shown = await mesh.show(agentId)
    const isFinal = shown.config.status === 'failed' || shown.config.status === 'rolled_back'
    return shown.state === 'degraded' && isFinal && shown.config.sent?.digest === shown.config.desired?.digest && shown
  })
  expect(agent.config.desired?.digest).not.toBe(before.config.applied?.digest)
  expect(agent.config.sent).toEqual(agent.config.desired)
  expect(agent.config.applied).toEqual(before.config.applied)
  expect(agent.config.serving).toEqual(before.config.applied)
  expect(agent.state_reason).toBe(agent.config.error)
  expect((await other.get()).body).toBe('other')
  return agent
}

async function mended(): Promise<AgentDetail> {
  const agent = await mesh.settled(agentId, 20)
  expect(agent).toMatchObject({ state: 'online', state_reason: null, config: { status: 'success', error: null, findings: [] } })
  expect((await other.get()).body).toBe('other')
  return agent
}

test('a wrong value of a custom directive; PATCHed back to the very same content, it is at once as applied', async () => {
  const before = await mended()
  await change({ custom_directives: { proxy_read_timeout: 'banana' } })
  const agent = await refused(before)
  expect(agent.state_reason).toContain('"proxy_read_timeout" directive invalid value')
  const place = { kind: 'virtual_host', id: other.id, name: 'other', field: 'custom_directives.proxy_read_timeout' }
  const explained = { code: 'invalid_value', cause: expect.any(String), fix: expect.stringContaining('times with ms, s, m, h or d') }
  expect(agent.config.findings).toContainEqual(expect.objectContaining({ ...place, ...explained, severity: 'error' }))
  const findings = await mesh.client.call(routes.listFindings, {
    params: { workspace_id: mesh.workspaceId },
    query: { object_id: other.id, severity: 'error' },
  })
  expect(findings.data).toMatchObject([{ code: 'invalid_value', field: place.field, fix: explained.fix, agent_ids: [agentId] }])

  await change({ custom_directives: { proxy_read_timeout: null } })
  const after = await mended()
  expect(after.config.desired?.digest).toBe(before.config.applied?.digest)
  expect(after.config.applied?.version).toBe(before.config.applied!.version + 2)
})

test('what a config to be tested is refused for comes with its cause', async () => {
  const validate = (config_content: string) =>
    mesh.client.call(routes.validateAgent, { params: { agent_id: agentId }, body: { config_content } })
  const refusal = await validate('events {}\nhttp {\n  no_such_thing on;\n}\n')
  expect(refusal.success).toBe(false)
  expect(refusal.findings).toMatchObject([
    { severity: 'error', message: 'unknown directive "no_such_thing"', line: 3, code: 'unknown_directive', fix: expect.any(String) },
  ])
  expect(await validate('events {}\nhttp { access_log off; }\n')).toMatchObject({ success: true })
})

test.each([
  ['retried', routes.retryAgent],
  ['reloaded', routes.reloadAgent],
])('what was refused and is then %s ends as refused again, and the mended config is served at once', async (_word, route) => {
  const before = await mended()
  await change({ custom_directives: { proxy_read_timeout: 'banana' } })
  await refused(before)
  const attempts = async () => (await mesh.client.call(routes.listApplies, { params: { agent_id: agentId } })).meta.total
  const tried = await attempts()
  await mesh.client.call(route, { params: { agent_id: agentId } })
  await until('it to be tried again', async () => (await attempts()) > tried)
  await refused(before)
  await change({ custom_directives: { proxy_read_timeout: '31s' } })
  await mended()
  await change({ custom_directives: { proxy_read_timeout: null } })
  await mended()
})

test('a directive that nginx does not know', async () => {
  const before = await mended()
  await change({ custom_directives: { proxy_raed_timeout: '5s' } })
  const agent = await refused(before)
  expect(agent.state_reason).toContain('unknown directive "proxy_raed_timeout"')
  const place = { kind: 'virtual_host', id: other.id, name: 'other', field: 'custom_directives.proxy_raed_timeout' }
  expect(agent.config.findings).toContainEqual(expect.objectContaining(place))

  await change({ custom_directives: { proxy_raed_timeout: null, proxy_read_timeout: '5s' } })
  await mended()
  await change({ custom_directives: { proxy_read_timeout: null } })
  await mended()
})

/** Waits until the newest config serves although something of it had to be left out. */
async function servedInPart(): Promise<AgentDetail> {
  const agent = await until('the agent to leave something out', async () => {
    const shown = await mesh.show(agentId)
    return shown.state === 'degraded' && shown.config.serving?.digest === shown.config.desired?.digest && shown
  })
  expect(agent.config).toMatchObject({ status: 'success', error: null })
  expect((await other.get()).body).toBe('other')
  return agent
}

test('a name in proxy_pass that does not resolve costs its location only', async () => {
  await mended()
  const { locations } = await mesh.client.call(routes.getVirtualHost, { params: hostParams() })
  await change({ locations: [...locations, { path: '/away', proxy_pass: 'http://nowhere.invalid:8080' }] })
  const agent = await servedInPart()
  expect(agent.state_reason).toContain('no address of "nowhere.invalid" is known')
  const place = { severity: 'error', kind: 'virtual_host', id: other.id, name: 'other', field: 'locations.1.proxy_pass' }
  expect(agent.config.findings).toContainEqual(expect.objectContaining(place))
  expect((await other.get('/away')).status).toBe(502)

  await change({ locations })
  await mended()
})

test('a name in an upstream that does not resolve costs that server only; mended by deleting the host that uses it', async () => {
  const params = { workspace_id: mesh.workspaceId }
  const servers = [{ address: 'nowhere.invalid:8080' }]
  const upstream = await mesh.client.call(routes.createUpstream, { params, body: { name: 'lost', servers } })
  const before = await mended()
  const locations = [{ path: '/', upstream_id: upstream.id }]
  const body = { name: 'third', server_name: 'third.test', listen_port: other.port, locations }
  const { id } = await mesh.client.call(routes.createVirtualHost, { params, body })
  const agent = await servedInPart()
  const place = { kind: 'upstream', id: upstream.id, name: 'lost' }
  expect(agent.config.findings).toContainEqual(expect.objectContaining({ ...place, severity: 'warning', field: 'servers.0.address' }))
  expect(agent.config.findings).toContainEqual(expect.objectContaining({ ...place, severity: 'error', field: 'servers' }))

  await mesh.client.call(routes.deleteVirtualHost, { params: { virtual_host_id: id } })
  const after = await mended()
  expect(after.config.applied?.digest).toBe(before.config.applied?.digest)
  await mesh.client.call(routes.deleteUpstream, { params: { upstream_id: upstream.id } })
})

test.each([
  ['a value in a location', { custom_directives: { client_max_body_size: '1x' } }, 'custom_directives.client_max_body_size'],
  ['a regular expression of a path', { path: '~ ^/(?<=a+)b' }, 'path'],
  ['a regular expression of a rewrite', { rewrite_rules: [{ pattern: '(?<=a+)b', replacement: '/x' }] }, 'rewrite_rules.0'],
  ['a variable that there is not', { custom_headers: [{ name: 'X-Odd', value: '$nowhere' }] }, 'custom_headers'],
])('%s, named by its place in the location', async (_what, mistake, field) => {
  const before = await mended()
  const { locations } = await mesh.client.call(routes.getVirtualHost, { params: hostParams() })
  await change({ locations: [...locations, { path: '/more', upstream_id: other.upstreamId, ...mistake }] })
  const agent = await refused(before)
  const [place] = agent.config.findings.filter((finding) => finding.severity === 'error')
  expect(place).toMatchObject({
    kind: 'virtual_host',
    id: other.id,
    field: expect.stringMatching(`^locations\\.1\\.${field.replaceAll('.', '\\.')}`),
  })
  await change({ locations })
  await mended()
})

test('a directive of the workspace’s settings', async () => {
  const before = await mended()
  const params = { workspace_id: mesh.workspaceId }
  await mesh.client.call(routes.updateSettings, { params, body: { nginx_directives: { client_header_timeout: 'banana' } } })
  const agent = await refused(before)
  expect(agent.state_reason).toContain('"client_header_timeout" directive invalid value')
  const place = { kind: 'settings', field: 'nginx_directives.client_header_timeout' }
  expect(agent.config.findings).toContainEqual(expect.objectContaining(place))
  await mesh.client.call(routes.updateSettings, { params, body: { nginx_directives: { client_header_timeout: null } } })
  await mended()
})

test('a port that another process holds: applied by itself once the port is free', async () => {
  const before = await mended()
  const port = await freePort()
  const holder = createServer()
  await new Promise<void>((resolve) => holder.listen(port, resolve))
  await change({ listen_port: port })
  const agent = await refused(before)
  expect(agent.state_reason).toMatch(new RegExp(`port ${port} .*process ${process.pid}`))
  const place = { kind: 'virtual_host', id: other.id, name: 'other', field: 'listen_port' }
  expect(agent.config.findings).toContainEqual(expect.objectContaining(place))

  await new Promise((resolve) => holder.close(resolve))
  await mesh.settled(agentId)
  await change({ listen_port: other.port })
  await mended()
})

test('a path that looks like config is a path and nothing else', async () => {
  const { locations } = await mesh.client.call(routes.getVirtualHost, { params: hostParams() })
  const path = '/a b { return 418; } location /x'
  await change({ locations: [...locations, { path, rewrite_rules: [{ pattern: '^', replacement: '/b', flag: 'redirect' }] }] })
  await mended()
  expect((await other.get('/x')).body).toBe('other')
  expect((await other.get(encodeURI(path))).status).toBe(302)
  await change({ locations })
  await mended()
})

describe('what could break out of its directive is refused by REST and changes nothing', () => {
  test.each([
    [{ custom_directives: { proxy_read_timeout: '5s; } server { listen 1' } }, 'custom_directives.proxy_read_timeout'],
    [{ custom_directives: { 'proxy_read_timeout 5s; }': '1' } }, /^custom_directives/],
    [{ server_name: 'a.test; } server { listen 1' }, 'server_name'],
    [{ locations: [{ path: '/', custom_headers: [{ name: 'X-A', value: 'a\r\nSet-Cookie: b' }] }] }, 'locations.0.custom_headers.0.value'],
  ])('%j', async (body, field) => {
    const before = await mended()
    const error = await change(body).then(
      () => undefined,
      (cause: ApiError) => cause,
    )
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR' })
    expect(error!.details.map((detail) => detail.field)).toContainEqual(typeof field === 'string' ? field : expect.stringMatching(field))
    const after = await mesh.show(agentId)
    expect(after.config).toEqual(before.config)
  })
})

test('no query of a master with an agent reads a whole table', async () => {
  expect(await unindexed(mesh.master.ctx.db, mesh.queries)).toEqual([])
})
