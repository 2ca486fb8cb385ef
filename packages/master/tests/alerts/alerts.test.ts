import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import type { Alert } from '@nxmesh/model/alert'
import { accessToken, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { newPerson } from '@nxmesh/testkit/people'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listenWith } from '../events/listening.ts'
import { newTelemetryAgent, requestsOf, type TelemetryAgent } from '../telemetry-agent.ts'

describe.each(stores)('alerts, on $name', (store) => {
  let stack: AsyncDisposableStack
  let mesh: TestMaster
  let params: { workspace_id: string }
  let place: { client: TestMaster['client']; port: number; caPem: string; workspaceId: string }

  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch()).path
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(join(directory, 'master'), await opened.settings()))
    params = { workspace_id: mesh.workspaceId }
    const { client, master, workspaceId } = mesh
    place = { client, port: master.agents.port, caPem: master.ctx.authority.caPem, workspaceId }
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  const alertsOf = async (agentId: string, query: object = {}): Promise<Alert[]> =>
    (await mesh.client.call(routes.listAlerts, { params, query: { agent_id: agentId, ...query } })).data
  const named = async (agent: TelemetryAgent, name: string) => (await alertsOf(agent.id)).find((alert) => alert.name === name)
  const newRule = (body: object) => mesh.client.call(routes.createAlertRule, { params, body: body as never })
  const refusal = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error: { code: string; details: { field: string }[] }) => [error.code, error.details[0]?.field],
    )
  const reporting = (agent: TelemetryAgent, system: object, more: object = {}) =>
    agent.stream.send({ case: 'health', value: { nginx: { isRunning: true }, system, ...more } } as never)

  test('a workspace comes with rules, which can be changed, turned off and deleted', async () => {
    const { data, meta } = await mesh.client.call(routes.listAlertRules, { params, query: {} })
    expect(meta.total).toBe(10)
    expect(data.map(({ name }) => name)).toContain('Agent offline')
    for (const rule of data) expect(routes.getAlertRule.response.parse(rule)).toEqual(rule)
    const made = await newRule({
      name: 'Busy',
      condition: { kind: 'metric', metric: 'active_connections', operator: 'above', threshold: 100 },
    })
    const of = { params: { alert_rule_id: made.id } }
    const changed = await mesh.client.call(routes.updateAlertRule, {
      ...of,
      body: { enabled: false, condition: { threshold: 200 } } as never,
    })
    expect(changed).toMatchObject({ enabled: false, condition: { metric: 'active_connections', threshold: 200 } })
    expect(await mesh.client.call(routes.getAlertRule, of)).toEqual(changed)
    await mesh.client.call(routes.deleteAlertRule, of)
    expect(await refusal(mesh.client.call(routes.getAlertRule, of))).toEqual(['NOT_FOUND', undefined])
  })

  test.each([
    [{ name: '' }, 'name'],
    [{ severity: 'bad' }, 'severity'],
    [{ condition: { kind: 'state', state: 'gone' } }, 'condition.state'],
    [{ condition: { kind: 'metric', metric: 'cpu', operator: 'above', threshold: 1 } }, 'condition.metric'],
    [
      { condition: { kind: 'metric', metric: 'cpu_percent', operator: 'above', threshold: 1, clear_threshold: 2 } },
      'condition.clear_threshold',
    ],
    [{ condition: { kind: 'metric', metric: 'cpu_percent', operator: 'above' } }, 'condition.threshold'],
    [{ for_seconds: -1 }, 'for_seconds'],
    [{ label_selector: 'a in (' }, 'label_selector'],
    [{ more: 1 }, 'more'],
  ])('%o is refused with its field', async (change, field) => {
    expect(await refusal(newRule({ name: 'Wrong', condition: { kind: 'state', state: 'drift' }, ...change }))).toEqual([
      'VALIDATION_ERROR',
      field,
    ])
  })

  test('two rules of one name are too many', async () => {
    expect(await refusal(newRule({ name: 'Disk', condition: { kind: 'state', state: 'drift' } }))).toEqual(['CONFLICT', 'name'])
  })

  test('a figure opens an alert, somebody looks after it, and it ends when the figure is well again; each is told once', async () => {
    const rule = await newRule({
      name: 'Load',
      severity: 'error',
      condition: { kind: 'metric', metric: 'load_average_1m', operator: 'above', threshold: 8, clear_threshold: 4 },
    })
    await using socket = await listenWith(mesh.base, await accessToken(mesh.base))
    using agent = await newTelemetryAgent(place, 'loaded')
    reporting(agent, { loadAverage1m: 9.5 })
    const { data: told } = await socket.next('health.alert', { agent_id: agent.id })
    const opened = (await named(agent, 'Load'))!
    expect(opened).toMatchObject({
      rule_id: rule.id,
      severity: 'error',
      state: 'open',
      metric: 'load_average_1m',
      value: 9.5,
      threshold: 8,
    })
    expect(told).toEqual({
      agent_id: agent.id,
      alert_id: opened.id,
      severity: 'error',
      message: opened.message,
      metric: 'load_average_1m',
      value: 9.5,
    })
    expect(await mesh.client.call(routes.getAlert, { params: { alert_id: opened.id } })).toEqual(opened)

    const acknowledged = await mesh.client.call(routes.acknowledgeAlert, { params: { alert_id: opened.id } })
    expect(acknowledged).toMatchObject({ state: 'acknowledged', acknowledged_by: 'admin@nxmesh.local' })
    await socket.next('alert.acknowledged', { alert_id: opened.id })
    expect(await alertsOf(agent.id, { state: 'acknowledged' })).toHaveLength(1)
    expect(await alertsOf(agent.id, { state: 'open' })).toEqual([])

    reporting(agent, { loadAverage1m: 5 })
    reporting(agent, { loadAverage1m: 3 })
    const { data: ended } = await socket.next('alert.resolved', { agent_id: agent.id })
    expect(ended).toMatchObject({ alert_id: opened.id, value: 3 })
    expect(await named(agent, 'Load')).toMatchObject({ state: 'resolved', resolved_by: null })
    expect(await refusal(mesh.client.call(routes.acknowledgeAlert, { params: { alert_id: opened.id } }))).toEqual(['CONFLICT', undefined])
    expect(socket.events.filter(({ data }) => data['alert_id'] === opened.id)).toHaveLength(3)
  })

  test('an alert that somebody resolved opens again only after its reason had gone', async () => {
    const rule = await newRule({
      name: 'Connections',
      condition: { kind: 'metric', metric: 'active_connections', operator: 'above', threshold: 10 },
    })
    using agent = await newTelemetryAgent(place, 'resolved')
    const say = (activeConnections: number) => reporting(agent, {}, { nginx: { isRunning: true, activeConnections } })
    say(11)
    const opened = await until('an alert', () => named(agent, 'Connections'))
    expect(await mesh.client.call(routes.resolveAlert, { params: { alert_id: opened.id } })).toMatchObject({
      state: 'resolved',
      resolved_by: 'admin@nxmesh.local',
    })
    say(12)
    const marker = await newRule({
      name: 'Marker',
      condition: { kind: 'metric', metric: 'active_connections', operator: 'above', threshold: 11 },
    })
    await until('the rules to have been looked at', () => named(agent, 'Marker'))
    expect(await alertsOf(agent.id, { rule_id: rule.id })).toHaveLength(1)
    say(1)
    await until('the marker to end', async () => (await named(agent, 'Marker'))?.state === 'resolved')
    say(13)
    await until('a second alert', async () => (await alertsOf(agent.id, { rule_id: rule.id })).length === 2)
    for (const id of [rule.id, marker.id]) await mesh.client.call(routes.deleteAlertRule, { params: { alert_rule_id: id } })
    await until('alerts of rules that are gone to end', async () => (await alertsOf(agent.id, { state: 'open' })).length === 0)
  })

  test('rules are for the agents that their selector names', async () => {
    await newRule({
      name: 'Only production',
      label_selector: 'env=production',
      condition: { kind: 'metric', metric: 'cpu_percent', operator: 'above', threshold: 50 },
    })
    await newRule({ name: 'All', condition: { kind: 'metric', metric: 'cpu_percent', operator: 'above', threshold: 50 } })
    using agent = await newTelemetryAgent(place, 'unlabelled')
    reporting(agent, { cpuPercent: 60 })
    await until('an alert', () => named(agent, 'All'))
    expect(await named(agent, 'Only production')).toBeUndefined()
    await mesh.client.call(routes.updateAgent, { params: { agent_id: agent.id }, body: { labels: { env: 'production' } } })
    await until('the other one', () => named(agent, 'Only production'))
  })

  test('requests that fail open the alert that every workspace has', async () => {
    const { data } = await mesh.client.call(routes.listAlertRules, { params, query: {} })
    const rule = data.find(({ name }) => name === 'Server errors')!
    await mesh.client.call(routes.updateAlertRule, { params: { alert_rule_id: rule.id }, body: { for_seconds: 0 } })
    using agent = await newTelemetryAgent(place, 'failing')
    const sample = (status_class: string, value: number) => requestsOf(Date.now(), value, { status_class, virtual_host: 'v' })
    await agent.metrics({ timestamp: BigInt(Date.now()), metrics: [sample('2xx', 90), sample('5xx', 10)], spool: 's', sequence: 1n })
    expect(await until('the alert', () => named(agent, 'Server errors'))).toMatchObject({
      metric: 'server_error_percent',
      value: 10,
      threshold: 5,
    })
  })

  test('what an agent warns of itself has the same life', async () => {
    await using socket = await listenWith(mesh.base, await accessToken(mesh.base))
    using agent = await newTelemetryAgent(place, 'warning')
    const warn = (...alerts: object[]) => reporting(agent, {}, { alerts })
    warn({ id: 'raid', severity: 'critical', message: 'a disk is gone' })
    const opened = await until('the alert', () => named(agent, 'raid'))
    expect(opened).toMatchObject({ rule_id: null, agent_alert_id: 'raid', severity: 'critical', message: 'a disk is gone', state: 'open' })
    warn()
    expect((await socket.next('alert.resolved', { agent_id: agent.id })).data).toMatchObject({ alert_id: 'raid' })
    expect(socket.events.filter(({ type, data }) => type === 'health.alert' && data['agent_id'] === agent.id)).toHaveLength(1)
  })

  test('viewers see alerts and change none; other workspaces have none of them', async () => {
    const { master, base, organizationId, client } = mesh
    using agent = await newTelemetryAgent(place, 'guarded')
    reporting(agent, {}, { alerts: [{ id: 'own', severity: 'info', message: 'm' }] })
    const { id } = await until('the alert', () => named(agent, 'own'))
    const viewer = await newPerson(master.ctx, base, 'watch@example.com', { workspace: { id: mesh.workspaceId, role: 'viewer' } })
    expect(await viewer.client.call(routes.getAlert, { params: { alert_id: id } })).toMatchObject({ id })
    expect(await refusal(viewer.client.call(routes.acknowledgeAlert, { params: { alert_id: id } }))).toEqual(['FORBIDDEN', undefined])
    const other = await client.call(routes.createWorkspace, {
      params: { organization_id: organizationId },
      body: { name: 'Quiet', slug: 'quiet' },
    })
    const list = await client.call(routes.listAlerts, { params: { workspace_id: other.id }, query: {} })
    expect(list.data).toEqual([])
    const stranger = await newPerson(master.ctx, base, 'stranger@example.com', { workspace: { id: other.id, role: 'admin' } })
    expect(await refusal(stranger.client.call(routes.resolveAlert, { params: { alert_id: id } }))).toEqual(['NOT_FOUND', undefined])
  })
})
