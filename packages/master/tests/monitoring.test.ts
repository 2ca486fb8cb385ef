import type { ErrorBody } from '@nxmesh/api/errors'
import { routes } from '@nxmesh/api/routes'
import { accessToken, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { newPerson, type Roles } from '@nxmesh/testkit/people'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gauge, newTelemetryAgent, requestsOf, type TelemetryAgent } from './telemetry-agent.ts'

const secret = 'a token for prometheus'

describe.each(stores)('on $name', (store) => {
  let stack: AsyncDisposableStack
  let mesh: TestMaster
  let agents: [TelemetryAgent, TelemetryAgent]
  let second: string

  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, [...(await opened.settings()), '--metrics-token', secret]))
    const { client, master, organizationId, workspaceId } = mesh
    const made = await client.call(routes.createWorkspace, {
      params: { organization_id: organizationId },
      body: { name: 'Second', slug: 'second' },
    })
    second = made.id
    const place = { client, port: master.agents.port, caPem: master.ctx.authority.caPem }
    agents = [
      opening.use(await newTelemetryAgent({ ...place, workspaceId }, 'web-1')),
      opening.use(await newTelemetryAgent({ ...place, workspaceId: second }, 'web-2')),
    ]
    const at = Date.now()
    for (const [index, agent] of agents.entries()) {
      const metrics = [gauge(at, 'nginx_connections_active', 7 + index), requestsOf(at, 100 + index)]
      expect(await agent.metrics({ metrics, spool: 's', sequence: 1n })).toMatchObject({ success: true })
    }
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  const get = async (path: string, token?: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${mesh.base}${path}`, { headers: { ...headers, ...(token && { authorization: `Bearer ${token}` }) } })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  const samples = (text: string, name: string) =>
    text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  const agentsIn = (text: string) =>
    samples(text, 'nginx_connections_active')
      .map((line) => /agent="([^"]*)"/.exec(line)![1]!)
      .sort()
  const apiToken = async (role: 'viewer' | 'operator', workspace_id?: string) => {
    const body = {
      name: `${role} ${workspace_id}`,
      role,
      organization_id: mesh.organizationId,
      expires_in_days: 1,
      ...(workspace_id && { workspace_id }),
    }
    return (await mesh.client.call(routes.createApiToken, { body })).token
  }

  test('the master tells of its own work', async () => {
    await get('/v1/organizations/none')
    const { status, headers, text } = await get('/metrics', secret)
    expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    expect(samples(text, 'nxmesh_build_info')).toEqual([expect.stringMatching(/^nxmesh_build_info\{version="\d+\.\d+\.\d+"\} 1$/)])
    const connected = samples(text, 'nxmesh_agents_connected').map((line) => Number(line.split(' ').at(-1)))
    expect(connected.reduce((sum, value) => sum + value, 0)).toBe(2)
    const refused =
      'nxmesh_http_request_duration_seconds_count{route="/v1/organizations/{organization_id}",method="GET",status_class="4xx"} 1'
    expect(text.split('\n')).toContain(refused)
    expect(samples(text, 'nxmesh_telemetry_rows_total')).toContain('nxmesh_telemetry_rows_total{kind="metrics"} 4')
    expect(samples(text, 'nxmesh_telemetry_store_up')).toEqual(['nxmesh_telemetry_store_up 1'])
    expect(samples(text, 'nxmesh_database_query_duration_seconds_count')).toHaveLength(1)
    expect(samples(text, 'nxmesh_reconciler_failing')).toContain('nxmesh_reconciler_failing{reconciler="rollout"} 0')
  })

  test('attempts to notify are counted', async () => {
    const params = { workspace_id: second }
    const body = { kind: 'webhook' as const, name: 'nowhere', url: 'http://localhost:1/', events: ['upstream.created'] }
    await mesh.client.call(routes.createNotificationChannel, { params, body })
    await mesh.client.call(routes.createUpstream, { params, body: { name: 'web', servers: [{ address: '10.0.0.1:80' }] } })
    const failed = 'nxmesh_notification_attempts_total{kind="webhook",result="failed"} 1'
    await until('it to have failed', async () => (await get('/metrics', secret)).text.split('\n').includes(failed))
    const failing = async () => samples((await get('/metrics/fleet', secret)).text, 'nxmesh_notification_channel_failing')
    // An attempt is counted before its end is written down.
    await until('the channel to be told of', async () => (await failing()).some((line) => line.endsWith(' 1')))
    expect(await failing()).toEqual([expect.stringMatching(/channel="nowhere"\} 1$/)])
  })

  test('its own work is for whoever runs it', async () => {
    for (const token of [undefined, 'another token here', `${secret}s`, await accessToken(mesh.base), await apiToken('operator')]) {
      const { status, text } = await get('/metrics', token)
      expect([status, JSON.parse(text).error.code]).toEqual([401, 'UNAUTHORIZED'])
    }
  })

  test('the token reads the whole fleet, and one workspace of it', async () => {
    const { status, text } = await get('/metrics/fleet', secret)
    expect([status, agentsIn(text)]).toEqual([200, ['web-1', 'web-2']])
    const labels = `workspace_id="${second}",workspace="Second",agent_id="${agents[1].id}",agent="web-2"`
    expect(samples(text, 'nginx_http_requests_total')).toContain(`nginx_http_requests_total{${labels},status_class="2xx"} 101`)
    expect(samples(text, 'nxmesh_agent_connected')).toContain(`nxmesh_agent_connected{${labels}} 1`)
    expect(agentsIn((await get(`/metrics/fleet?workspace_id=${second}`, secret)).text)).toEqual(['web-2'])
  })

  test('others read of the fleet what they see', async () => {
    expect((await get('/metrics/fleet')).status).toBe(401)
    expect((await get('/metrics/fleet', 'another token here')).status).toBe(401)
    expect(agentsIn((await get('/metrics/fleet', await accessToken(mesh.base))).text)).toEqual(['web-1', 'web-2'])
    const limited = await apiToken('viewer', second)
    expect(agentsIn((await get('/metrics/fleet', limited)).text)).toEqual(['web-2'])
    const other = await get(`/metrics/fleet?workspace_id=${mesh.workspaceId}`, limited)
    expect([other.status, JSON.parse(other.text).error.message]).toEqual([404, 'workspace not found'])
  })

  test.each<[string, Roles['organization'], 'one' | 'none', string[]]>([
    ['nobody', undefined, 'none', []],
    ['member of the organization', { id: '', role: 'member' }, 'none', []],
    ['viewer of a workspace', undefined, 'one', ['web-2']],
    ['member of both', { id: '', role: 'member' }, 'one', ['web-2']],
    ['admin', { id: '', role: 'admin' }, 'none', ['web-1', 'web-2']],
  ])('%s reads what they see, and no name of anything else', async (who, inOrganization, workspaces, seen) => {
    const organization = inOrganization && { ...inOrganization, id: mesh.organizationId }
    const roles = {
      ...(organization && { organization }),
      ...(workspaces === 'one' && { workspace: { id: second, role: 'viewer' as const } }),
    }
    const { token } = await newPerson(mesh.master.ctx, mesh.base, `${who.replaceAll(' ', '.')}@example.com`, roles)
    const { status, text } = await get('/metrics/fleet', token)
    expect([status, agentsIn(text)]).toEqual([200, seen])
    if (!seen.includes('web-1')) for (const hidden of [mesh.workspaceId, agents[0].id, 'web-1']) expect(text).not.toContain(hidden)
    if (seen.length === 0)
      expect(samples(text, 'nxmesh_virtual_host_info').concat(samples(text, 'nxmesh_notification_channel_failing'))).toEqual([])
  })

  test('a wrong parameter is named', async () => {
    const { status, text } = await get('/metrics/fleet?workspace=1', secret)
    expect([status, JSON.parse(text).error.details[0].field]).toEqual([422, 'workspace'])
  })

  test('an answer is compressed for whoever asks for it', async () => {
    const { headers, text } = await get('/metrics/fleet', secret, { 'accept-encoding': 'gzip' })
    expect([headers.get('content-encoding'), agentsIn(text)]).toEqual(['gzip', ['web-1', 'web-2']])
  })

  test('an agent of a new spool begins again, and one that is deleted is gone', async () => {
    const [first] = agents
    expect(await first.metrics({ metrics: [requestsOf(Date.now(), 3)], spool: 'new', sequence: 1n })).toMatchObject({ success: true })
    const requests = async () => samples((await get('/metrics/fleet', secret)).text, 'nginx_http_requests_total')
    expect((await requests()).map((line) => line.split(' ').at(-1))).toEqual(['101', '3'])
    await mesh.client.call(routes.deleteAgent, { params: { agent_id: first.id } })
    await until('it to be gone', async () => agentsIn((await get('/metrics/fleet', secret)).text).join() === 'web-2')
    expect((await get('/metrics/fleet', secret)).text).not.toContain('web-1')
  })

  test('only who reads the whole fleet reads a whole table', async () => {
    const queries = new Map([...mesh.queries].filter(([text]) => text !== 'select "id", "name" from "workspaces"'))
    expect(queries.size).toBe(mesh.queries.size - 1)
    expect(await unindexed(mesh.master.ctx.db, queries)).toEqual([])
  })
})

test('without a token in the settings there is nothing to read but the fleet', async () => {
  await using directory = await scratch()
  await using mesh = await startTestMaster(directory.path)
  const answer = await fetch(`${mesh.base}/metrics`, { headers: { authorization: 'Bearer ' } })
  expect([answer.status, ((await answer.json()) as ErrorBody).error.message]).toEqual([404, expect.stringContaining('--metrics-token')])
  const fleet = await fetch(`${mesh.base}/metrics/fleet`, { headers: { authorization: `Bearer ${await accessToken(mesh.base)}` } })
  expect(fleet.status).toBe(200)
})
