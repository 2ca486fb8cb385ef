import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startAgent } from '@nxmesh/agent/start'
import { routes } from '@nxmesh/api/routes'
import { accessToken } from '@nxmesh/testkit/master'
import { type Mesh, startMesh } from '@nxmesh/testkit/mesh'
import { killNginx } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectForeign } from '../../../../e2e/foreign/agent.ts'
import { type Listening, listenWith } from './listening.ts'

describe.each(stores)('what is told of agents, on $name', (store) => {
  let stack: AsyncDisposableStack
  let mesh: Mesh
  let events: Listening

  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const opened = opening.use(await store.open())
    mesh = opening.use(await startMesh({ agents: 0, settings: await opened.settings() }))
    events = opening.use(await listenWith(mesh.base, await accessToken(mesh.base)))
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  test('an agent comes, applies what it is given, refuses what is broken, and leaves', async () => {
    const { id, options } = await mesh.newAgent('web-1')
    const created = await events.next('agent.created', { agent_id: id })
    expect(created.data).toEqual({ agent_id: id, name: 'web-1' })
    expect(created.workspace_id).toBe(mesh.workspaceId)

    const agent = await startAgent(options)
    await using _agent = agent
    const connected = await events.next('agent.connected', { agent_id: id })
    const shown = await mesh.settled(id)
    expect(connected).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      type: 'agent.connected',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/),
      workspace_id: mesh.workspaceId,
      data: { agent_id: id, hostname: shown.hostname, ip_address: shown.ip_address },
    })
    await events.next('agent.online', { agent_id: id })

    const params = { workspace_id: mesh.workspaceId }
    const host = await mesh.client.call(routes.createVirtualHost, {
      params,
      body: { name: 'Site', server_name: 'site.test', listen_port: await freePort() },
    })
    const { config_version: version } = await mesh.client.call(routes.getWorkspace, { params })
    expect((await events.next('virtual_host.created')).data).toEqual({ virtual_host_id: host.id, name: 'Site', version })
    const applied = await events.next('config.applied', { agent_id: id, version })
    expect(applied.data).toEqual({
      agent_id: id,
      config_id: `${mesh.workspaceId}:${version}`,
      version,
      duration_ms: expect.any(Number),
      success: true,
    })
    expect(applied.data['duration_ms']).toBeGreaterThan(0)

    await mesh.client.call(routes.updateVirtualHost, {
      params: { virtual_host_id: host.id },
      body: { custom_directives: { proxy_read_timeout: 'banana' } },
    })
    const refused = await events.next('config.applied', { agent_id: id, version: version + 1 })
    expect(refused.data).toMatchObject({
      success: false,
      error: expect.stringContaining('proxy_read_timeout'),
      code: 'invalid_value',
      fix: expect.any(String),
    })
    expect((await events.next('agent.degraded', { agent_id: id })).data).toEqual({ agent_id: id, reason: refused.data['error'] })
    await mesh.client.call(routes.deleteVirtualHost, { params: { virtual_host_id: host.id } })
    await mesh.settled(id)
    await until('it to be told that it is online again', () => events.events.filter((event) => event.type === 'agent.online').length === 2)

    await agent[Symbol.asyncDispose]()
    const left = await events.next('agent.disconnected', { agent_id: id })
    expect(['closed_by_agent', 'connection_lost']).toContain(left.data['reason'])
    await killNginx(options.dataDir)
    await mesh.client.call(routes.deleteAgent, { params: { agent_id: id } })
    expect((await events.next('agent.deleted', { agent_id: id })).data).toEqual({ agent_id: id, name: 'web-1' })
  })

  test('a file that somebody changed by hand, and an nginx that was stopped, are told once', async () => {
    const { id, dataDir } = await mesh.addAgent('web-2')
    const generation = await mesh.show(id)
    expect(generation.state).toBe('online')
    await appendFile(join(dataDir, 'current', 'nginx.conf'), '\n# by hand\n')
    const drifted = await events.next('agent.drifted', { agent_id: id })
    expect(drifted.data['message']).toContain('nginx.conf')
    await events.next('agent.degraded', { agent_id: id, reason: drifted.data['message'] as string })

    await mesh.client.call(routes.stopAgent, { params: { agent_id: id }, body: {} })
    const alert = await events.next('health.alert', { agent_id: id })
    expect(alert.data).toEqual({
      agent_id: id,
      alert_id: 'nginx.stopped',
      severity: 'warning',
      message: 'nginx was stopped by command',
      metric: 'nginx_up',
      value: 0,
    })
    const heard = async () => (await mesh.show(id)).last_seen_at
    const before = await heard()
    await until('further reports', async () => Date.parse((await heard()) ?? '') > Date.parse(before ?? '') + 2000)
    expect(events.events.filter(({ type, data }) => type === 'health.alert' && data['agent_id'] === id)).toHaveLength(1)
  })

  test('alerts of an agent that others wrote are told when they appear and when they get worse; its silence ends it', async () => {
    const { agent_id: id, token } = await mesh.client.call(routes.createAgentToken, {
      params: { workspace_id: mesh.workspaceId },
      body: { name: 'foreign' },
    })
    await using agent = connectForeign({ port: mesh.master.agents.port, caPem: mesh.master.ctx.authority.caPem })
    await agent.register({ token, hostname: 'web-01.internal', ipAddress: '10.0.1.10' })
    expect((await events.next('agent.connected', { agent_id: id })).data).toEqual({
      agent_id: id,
      hostname: 'web-01.internal',
      ip_address: '10.0.1.10',
    })
    const told = () =>
      events.events.filter(({ type, data }) => type === 'health.alert' && data['agent_id'] === id).map(({ data }) => data['severity'])
    const warn = (alerts: { id: string; severity: string; message: string }[]) => agent.send({ case: 'health', value: { alerts } })
    const cpu = { id: 'alert-456', severity: 'warning', message: 'High CPU usage: 85%' }
    warn([cpu])
    expect((await events.next('health.alert', { agent_id: id })).data).toEqual({
      agent_id: id,
      alert_id: 'alert-456',
      severity: 'warning',
      message: 'High CPU usage: 85%',
      metric: '',
      value: 0,
    })
    warn([{ ...cpu, message: 'High CPU usage: 86%' }])
    await mesh.show(id)
    warn([{ ...cpu, severity: 'critical' }])
    await until('the worse one', () => told().length === 2)
    warn([])
    await mesh.show(id)
    warn([cpu])
    await until('the one that came back', () => told().length === 3)
    expect(told()).toEqual(['warning', 'critical', 'warning'])

    expect((await events.next('agent.disconnected', { agent_id: id })).data).toEqual({ agent_id: id, reason: 'connection_timeout' })
  })

  test('a stream that takes the place of another is told as an end and a beginning', async () => {
    const { agent_id: id, token } = await mesh.client.call(routes.createAgentToken, {
      params: { workspace_id: mesh.workspaceId },
      body: { name: 'returning' },
    })
    const options = { port: mesh.master.agents.port, caPem: mesh.master.ctx.authority.caPem }
    await using first = connectForeign(options)
    await first.register({ token })
    await using second = connectForeign(options)
    await second.register({ token })
    await mesh.client.call(routes.revokeAgent, { params: { agent_id: id } })
    await events.next('agent.disconnected', { agent_id: id, reason: 'revoked' })
    const connections = events.events.filter(({ type, data }) => data['agent_id'] === id && type.endsWith('connected'))
    expect(connections.map(({ type, data }) => [type, data['reason']].join(' ').trim())).toEqual([
      'agent.connected',
      'agent.disconnected replaced',
      'agent.connected',
      'agent.disconnected revoked',
    ])
  })
})
