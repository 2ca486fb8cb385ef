import { once } from 'node:events'
import { connect } from 'node:net'
import { Code, ConnectError } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { ConfigApplyStatus } from '../../../e2e/foreign/gen/agent_pb.ts'
import { getAgent } from '../src/agents.ts'
import { startHarness, until } from './link-harness.ts'

test('an agent from the published contract registers, gets its config, reports, and is shown as it is', async () => {
  await using mesh = await startHarness()
  await mesh.setHosts([{ server_name: 'one.test' }])
  const { id, token } = await mesh.agentToken()
  const agent = mesh.connect()
  const answer = await agent.register({
    token,
    hostname: 'web-01',
    ipAddress: '10.0.1.10',
    version: '9.9',
    capabilities: ['http2'],
    labels: { region: 'eu' },
  })
  expect(answer).toMatchObject({ agentId: id, success: true, heartbeatIntervalSeconds: 10n })

  const update = await agent.next('configUpdate')
  expect(update.virtualHosts.map((host) => host.serverName)).toEqual(['one.test'])
  expect(update.version).toBe(2n)
  agent.send({ case: 'configStatus', value: { configId: update.configId, version: update.version, status: ConfigApplyStatus.SUCCESS } })
  await until('success is recorded', async () => (await mesh.row(id)).config_status === 'success')
  expect(await mesh.row(id)).toMatchObject({ state: 'online', hostname: 'web-01', applied_version: 2, reported_labels: '{"region":"eu"}' })

  const report = { nginx: { isRunning: true, activeConnections: 3 }, system: { cpuPercent: 12.5, memoryUsedBytes: 268_435_456n } }
  agent.send({ case: 'health', value: report }, id, 1234567n)
  expect(await agent.next('ack')).toMatchObject({ messageId: '1234567', success: true })
  const health = { nginx_status: 'running', active_connections: 3, cpu_percent: 12.5, memory_used_mb: 256 }
  expect((await getAgent(mesh.ctx, id)).body.health).toMatchObject(health)

  // The contract says nothing of units: an agent may count nanoseconds.
  agent.send({ case: 'health', value: report }, id, 1_795_472_605_682_000_000n)
  expect(await agent.next('ack')).toMatchObject({ messageId: '1795472605682000000', success: true })

  await agent[Symbol.asyncDispose]()
  await until('the agent is offline', async () => (await mesh.row(id)).state === 'offline')
})

test('what cannot be believed is refused by its Ack and changes nothing', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  await using agent = mesh.connect()
  await agent.register({ token })
  agent.send({ case: 'health', value: { system: { cpuPercent: Number.NaN } } }, '', 1n)
  expect(await agent.next('ack')).toMatchObject({
    messageId: '1',
    success: false,
    errorMessage: expect.stringContaining('system.cpu_percent'),
  })
  agent.send({ case: 'metrics', value: { metrics: [{ name: 'x', value: Number.POSITIVE_INFINITY }] } }, '', 2n)
  expect(await agent.next('ack')).toMatchObject({
    messageId: '2',
    success: false,
    errorMessage: expect.stringContaining('metrics.0.value'),
  })
  agent.send({ case: 'metrics', value: { metrics: [{ name: 'x', value: 1 }] } }, '', 3n)
  expect(await agent.next('ack')).toMatchObject({ messageId: '3', success: true })
  agent.send({ case: 'logs', value: { entries: [{ timestamp: -1n }] } }, '', 4n)
  expect(await agent.next('ack')).toMatchObject({ messageId: '4', success: false })
  agent.send({ case: 'event', value: { eventId: 'e-1', eventType: 'nginx.reloaded' } }, '', 5n)
  expect(await agent.next('ack')).toMatchObject({ messageId: 'e-1', success: true })
  await mesh.ctx.agentWrites.flush()
  expect((await mesh.row(id)).health).toBeNull()
  expect(mesh.ctx.sessions.received).toEqual({ metrics: 1, log_entries: 0, events: 1, refused: 2 })
})

test('a refused config is not offered again until it changes or somebody asks; another one heals the agent', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  await mesh.setHosts([{ server_name: 'good.test' }])
  await using agent = mesh.connect()
  await agent.register({ token })
  const say = (update: { configId: string; version: bigint }, status: ConfigApplyStatus, errorMessage = '') =>
    agent.send({ case: 'configStatus', value: { configId: update.configId, version: update.version, status, errorMessage } })
  say(await agent.next('configUpdate'), ConfigApplyStatus.SUCCESS)
  await until('the good config is applied', async () => (await mesh.row(id)).config_status === 'success')

  await mesh.setHosts([{ server_name: 'bad.test' }])
  const bad = await agent.next('configUpdate')
  say(bad, ConfigApplyStatus.ROLLED_BACK, 'nginx: [emerg] no')
  await until('the failure is recorded', async () => (await mesh.row(id)).state === 'degraded')
  expect(await mesh.row(id)).toMatchObject({ state_reason: 'nginx: [emerg] no', applied_version: 2, config_status: 'rolled_back' })
  const configs = () => agent.received.filter((payload) => payload.case === 'configUpdate').length
  mesh.ctx.wake('rollout')
  agent.send({ case: 'health', value: {} })
  await agent.next('ack')
  expect(configs()).toBe(2)

  mesh.ctx.sessions.get(id)!.forgetRejection()
  say(await agent.next('configUpdate'), ConfigApplyStatus.FAILED, 'again')
  await until('the second failure is recorded', async () => (await mesh.row(id)).config_error === 'again')

  await mesh.setHosts([{ server_name: 'better.test' }])
  say(await agent.next('configUpdate'), ConfigApplyStatus.SUCCESS)
  await until('the agent is healed', async () => (await mesh.row(id)).state === 'online')
})

test('edits while a config is on its way become one push of the newest', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  await using agent = mesh.connect()
  await agent.register({ token })
  const first = await agent.next('configUpdate')
  for (let edit = 1; edit <= 5; edit++) await mesh.setHosts([{ server_name: `edit-${edit}.test` }])
  agent.send({ case: 'health', value: {} })
  await agent.next('ack')
  expect(agent.received.filter((payload) => payload.case === 'configUpdate')).toHaveLength(1)
  agent.send({ case: 'configStatus', value: { configId: first.configId, version: first.version, status: ConfigApplyStatus.SUCCESS } })
  const second = await agent.next('configUpdate')
  expect(second.virtualHosts[0]!.serverName).toBe('edit-5.test')
  // It answers no status, but its heartbeat says that it runs what it was sent.
  agent.send({ case: 'health', value: { configVersion: second.version } })
  await until('the heartbeat is believed', async () => (await mesh.row(id)).applied_version === Number(second.version))
})

test('agents of equal config share one encoded message, and an agent that is not concerned is sent nothing', async () => {
  await using mesh = await startHarness()
  await mesh.setHosts([
    { server_name: 'all.test' },
    { server_name: 'eu.test', target_agents: { type: 'selector', label_selector: 'region=eu' } },
  ])
  const agents = await Promise.all(
    ['eu', 'eu', 'us'].map(async (region, index) => {
      const { id, token } = await mesh.agentToken({ token_labels: JSON.stringify({ region, host: `host-${index}` }) })
      const agent = mesh.connect()
      await agent.register({ token })
      const update = await agent.next('configUpdate')
      agent.send({ case: 'configStatus', value: { version: update.version, status: ConfigApplyStatus.SUCCESS } })
      return { id, agent, hosts: update.virtualHosts.length }
    }),
  )
  expect(agents.map(({ hosts }) => hosts)).toEqual([2, 2, 1])
  const [memory] = mesh.ctx.desired.values()
  expect(memory!.byMatching.size).toBe(2)
  const frames = new Set([...memory!.byMatching.values()].map((desired) => desired.frame()))
  expect(frames.size).toBe(2)
  await until('all applied', async () =>
    (await Promise.all(agents.map(({ id }) => mesh.row(id)))).every((row) => row.config_status === 'success'),
  )

  const all = mesh.ctx.workspaceConfigs
    .values()
    .next()
    .value!.virtual_hosts.find((host) => host.server_name === 'all.test')!
  await mesh.setHosts([all, { server_name: 'eu-2.test', target_agents: { type: 'selector', label_selector: 'region in (eu)' } }])
  await agents[0]!.agent.next('configUpdate')
  await agents[1]!.agent.next('configUpdate')
  expect(agents[2]!.agent.received.filter((payload) => payload.case === 'configUpdate')).toHaveLength(1)
  for (const { agent } of agents) await agent[Symbol.asyncDispose]()
})

test('a command waits for its result, its deadline or the end of the session', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  expect(await mesh.ctx.sessions.command(id, { kind: 'get_status' }, 1000)).toEqual({ kind: 'offline' })
  const agent = mesh.connect()
  await agent.register({ token })
  const reload = mesh.ctx.sessions.command(id, { kind: 'reload', graceful: true }, 10_000)
  const command = await agent.next('command')
  expect(command.command).toMatchObject({ case: 'reload', value: { graceful: true } })
  const data = { command_id: command.commandId, success: 'false', message: 'nginx: configuration file test failed' }
  agent.send({ case: 'event', value: { eventId: 'r', eventType: 'command.result', data } })
  expect(await reload).toEqual({ kind: 'answered', success: false, message: 'nginx: configuration file test failed', data: {} })
  expect(await mesh.ctx.sessions.command(id, { kind: 'get_status' }, 50)).toEqual({ kind: 'unanswered' })
  const lost = mesh.ctx.sessions.command(id, { kind: 'stop', graceful: true, timeout_seconds: 3 }, 30_000)
  await agent.next('command')
  await agent[Symbol.asyncDispose]()
  expect(await lost).toEqual({ kind: 'cut' })
})

test('health and metrics outside a session need the credentials of an agent', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  await using agent = mesh.connect()
  const headers = { authorization: `Bearer ${token}` }
  expect(await agent.unary.reportHealth({ nginx: { isRunning: true } }, { headers })).toMatchObject({ success: true })
  expect(await agent.unary.reportMetrics({ timestamp: 77n, metrics: [] }, { headers })).toMatchObject({ success: true, messageId: '77' })
  expect(await agent.unary.reportHealth({ nginx: { requestsPerSecond: -1 } }, { headers })).toMatchObject({ success: false })
  await until('health is recorded', async () => (await mesh.row(id)).health !== null)
  await expect(agent.unary.reportHealth({})).rejects.toSatisfy((error) => ConnectError.from(error).code === Code.Unauthenticated)
  const wrong = { headers: { authorization: 'Bearer nonsense' } }
  await expect(agent.unary.reportMetrics({}, wrong)).rejects.toSatisfy((error) => ConnectError.from(error).code === Code.Unauthenticated)
})

test('an agent that is silent for three intervals is offline', async () => {
  await using mesh = await startHarness({ heartbeat_interval_seconds: 1 })
  const { id, token } = await mesh.agentToken()
  await using agent = mesh.connect()
  await agent.register({ token })
  const reason = ConnectError.from(await agent.ended)
  expect(reason.code).toBe(Code.Unavailable)
  await until('the agent is offline', async () => (await mesh.row(id)).state === 'offline')
})

test('a master that stops ends the sessions and leaves every agent offline', async () => {
  const mesh = await startHarness()
  const { token } = await mesh.agentToken()
  await using agent = mesh.connect()
  await agent.register({ token })
  const halfway = connect(mesh.port, '127.0.0.1').on('error', () => undefined)
  await once(halfway, 'connect')
  const started = performance.now()
  await mesh[Symbol.asyncDispose]()
  halfway.destroy()
  expect(performance.now() - started).toBeLessThan(3000)
  expect(ConnectError.from(await agent.ended).code).toBe(Code.Unavailable)
})

test('an agent that comes and goes leaves nothing behind', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  for (let turn = 0; turn < 20; turn++) {
    const agent = mesh.connect()
    await agent.register({ token })
    await agent[Symbol.asyncDispose]()
  }
  await until(
    'everything is gone',
    async () => mesh.connections() === 0 && mesh.ctx.sessions.size() === 0 && (await mesh.row(id)).connected === 0,
  )
  await until('its facts are let go', () => mesh.ctx.agentWrites.facts(id) === undefined)
})
