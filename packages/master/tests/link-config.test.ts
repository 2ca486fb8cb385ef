import { ConfigApplyStatus } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { expect, test } from 'vitest'
import { listApplies } from '../src/applies.ts'
import { desiredOf, versionRunning } from '../src/rollout/desired.ts'
import { type Harness, startHarness, until } from './link-harness.ts'
import { connectNative } from './link-native.ts'

async function connected(mesh: Harness, token: string, facts: object = {}) {
  const agent = connectNative(mesh.port, mesh.ctx.authority.caPem)
  agent.send({ case: 'registration', value: { token, capability: 1, machineId: 'm', bootId: 'b', ...facts } })
  await agent.next('registrationResponse')
  return agent
}

const configs = (agent: Awaited<ReturnType<typeof connected>>) => agent.received.filter((payload) => payload.case === 'configUpdate').length

test('an agent that comes back with what it must run is sent nothing, and its facts are what it says', async () => {
  await using mesh = await startHarness()
  await mesh.setHosts([{ server_name: 'a.test' }])
  const { id, token } = await mesh.agentToken()
  const first = await connected(mesh, token)
  const update = await first.next('configUpdate')
  const { configChecksum, version } = update
  first.send({ case: 'configStatus', value: { configChecksum, version, status: ConfigApplyStatus.APPLYING } })
  await until('applying', async () => (await mesh.row(id)).config_status === 'applying')
  first.send({ case: 'configStatus', value: { configChecksum, version, status: ConfigApplyStatus.SUCCESS } })
  await until('applied', async () => (await mesh.row(id)).applied_digest === configChecksum)
  first[Symbol.dispose]()

  using second = await connected(mesh, token, { configChecksum, configVersion: version })
  const health = {
    nginx: { isRunning: true },
    configChecksum,
    configVersion: version,
    servingChecksum: 'f'.repeat(64),
    drifted: true,
    driftMessage: 'x',
  }
  second.send({ case: 'health', value: health })
  await second.next('ack')
  expect(configs(second)).toBe(0)
  await until('drift shows', async () => (await mesh.row(id)).state === 'degraded')
  expect(await mesh.row(id)).toMatchObject({ state_reason: 'x', serving_digest: 'f'.repeat(64), applied_digest: configChecksum })

  await mesh.setHosts([{ server_name: 'a.test', target_agents: { type: 'agents', agent_ids: [] } }])
  await mesh.setHosts([{ server_name: 'b.test', target_agents: { type: 'agents', agent_ids: [] } }])
  await second.next('configUpdate')
  expect(configs(second)).toBe(0)
})

test('an agent that does not change with a version is known to run it, also once it refused a later one', async () => {
  await using mesh = await startHarness()
  const host = { id: '00000000-0000-7000-8000-0000000000aa', server_name: 'mine.test', created_at: '2026-01-01T00:00:00.000Z' }
  const elsewhere = { target_agents: { type: 'selector' as const, label_selector: 'nobody=here' } }
  await mesh.setHosts([host])
  const { id, token } = await mesh.agentToken()
  using agent = await connected(mesh, token)
  const { configChecksum, version } = await agent.next('configUpdate')
  agent.send({ case: 'configStatus', value: { configChecksum, version, status: ConfigApplyStatus.SUCCESS } })
  await until('applied', async () => (await mesh.row(id)).config_status === 'success')
  const newer = await mesh.setHosts([host, { server_name: 'other.test', ...elsewhere }])
  const row = await mesh.row(id)
  expect(versionRunning(row, await desiredOf(mesh.ctx, row))).toBe(newer)
  await until('the rollout has seen it', () => mesh.ctx.desired.values().next().value?.config.version === newer)

  await mesh.setHosts([{ ...host, listen_port: 9 }])
  const bad = await agent.next('configUpdate')
  const findings = [{ severity: 'error', message: 'bind() failed', kind: 'virtual_host', id: host.id, field: 'listen_port', line: 3 }]
  agent.send({
    case: 'configStatus',
    value: { configChecksum: bad.configChecksum, status: ConfigApplyStatus.FAILED, errorMessage: 'no', findings },
  })
  await until('refused', async () => (await mesh.row(id)).config_status === 'failed')
  const after = await mesh.row(id)
  expect(after).toMatchObject({ rejected_digest: bad.configChecksum, applied_version: newer, state: 'degraded' })
  expect(JSON.parse(after.findings)).toEqual(findings)

  // Going back to what it applied is offered all the same, so that the failure is cleared.
  await mesh.setHosts([host])
  expect((await agent.next('configUpdate')).configChecksum).toBe(configChecksum)
  agent.send({ case: 'configStatus', value: { configChecksum, status: ConfigApplyStatus.SUCCESS } })
  await until('healed', async () => (await mesh.row(id)).state === 'online')
})

test('what became of a config counts with more findings than are kept', async () => {
  await using mesh = await startHarness()
  await mesh.setHosts([{ server_name: 'much.test' }])
  const { id, token } = await mesh.agentToken()
  using agent = await connected(mesh, token)
  const { configChecksum } = await agent.next('configUpdate')
  const findings = Array.from({ length: 1200 }, (_, line) => ({ severity: 'warning', message: 'odd', line: line + 1 }))
  agent.send({ case: 'configStatus', value: { configChecksum, status: ConfigApplyStatus.FAILED, errorMessage: 'no', findings } })
  await until('refused', async () => (await mesh.row(id)).rejected_digest === configChecksum)
  expect(JSON.parse((await mesh.row(id)).findings)).toEqual(findings.slice(0, 1000))
})

test('what an agent refused stays refused over a reconnect, unless it lost everything', async () => {
  await using mesh = await startHarness()
  await mesh.setHosts([{ server_name: 'bad.test' }])
  const { id, token } = await mesh.agentToken()
  const first = await connected(mesh, token)
  const { configChecksum } = await first.next('configUpdate')
  first.send({ case: 'configStatus', value: { configChecksum, status: ConfigApplyStatus.FAILED, errorMessage: 'no' } })
  await until('refused', async () => (await mesh.row(id)).rejected_digest === configChecksum)
  first[Symbol.dispose]()
  const second = await connected(mesh, token, { configChecksum: '1'.repeat(64), rejectedChecksum: configChecksum })
  second.send({ case: 'health', value: {} })
  await second.next('ack')
  expect(configs(second)).toBe(0)
  second[Symbol.dispose]()
  using third = await connected(mesh, token)
  expect((await third.next('configUpdate')).configChecksum).toBe(configChecksum)
})

test('an attempt is on record once, however often the agent tells it; an agent that is not ours is taken at each word', async () => {
  await using mesh = await startHarness()
  await mesh.setHosts([{ server_name: 'a.test' }])
  const { id, token } = await mesh.agentToken()
  const applies = async () => (await listApplies(mesh.ctx, id, { page: 1, per_page: 100 })).data
  const first = await connected(mesh, token)
  const { configChecksum, version } = await first.next('configUpdate')
  const at = { configChecksum, version }
  const failure = { ...at, status: ConfigApplyStatus.FAILED, errorMessage: 'no room', durationMs: 7, appliedAt: 1_795_000_000_000n }
  const success = { ...at, status: ConfigApplyStatus.SUCCESS, durationMs: 40, appliedAt: 1_795_000_001_000n }
  for (const value of [failure, failure, success]) first.send({ case: 'configStatus', value })
  await until('both are on record', async () => (await applies()).length === 2)
  first[Symbol.dispose]()
  using second = await connected(mesh, token, { configChecksum, configVersion: version })
  second.send({ case: 'configStatus', value: success })
  second.send({ case: 'health', value: { configChecksum, configVersion: version } })
  await second.next('ack')
  const common = { version: Number(version), digest: configChecksum, findings: [] }
  expect(await applies()).toMatchObject([
    { ...common, status: 'success', error: null, duration_ms: 40, applied_at: '2026-11-18T11:06:41.000Z' },
    { ...common, status: 'failed', error: 'no room', duration_ms: 7, applied_at: '2026-11-18T11:06:40.000Z' },
  ])

  const stranger = await mesh.agentToken()
  using foreign = await connected(mesh, stranger.token, { capability: 0 })
  const update = await foreign.next('configUpdate')
  // In which unit it counts is not known, so its time is not shown.
  const word = { configId: update.configId, version: update.version, appliedAt: 1_795_000_000n }
  for (const status of [ConfigApplyStatus.FAILED, ConfigApplyStatus.FAILED])
    foreign.send({ case: 'configStatus', value: { ...word, status } })
  const told = async () => (await listApplies(mesh.ctx, stranger.id, { page: 1, per_page: 100 })).data
  await until('both are on record', async () => (await told()).length === 2)
  expect(await told()).toMatchObject([{ status: 'failed', applied_at: null }, { applied_at: null }])
})

test('a health report with an nginx that cannot be one is refused by the field', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  using agent = await connected(mesh, token)
  const nginxInstallation = { mode: 'sideways', version: '1.26.3' }
  agent.send({ case: 'health', value: { nginxInstallation } })
  expect(await agent.next('ack')).toMatchObject({ success: false, errorMessage: expect.stringContaining('nginx_installation.mode') })
  agent.send({ case: 'health', value: { nginxInstallation: { ...nginxInstallation, mode: 'owned' }, filesChecksum: 'x' } })
  expect(await agent.next('ack')).toMatchObject({ success: false, errorMessage: expect.stringContaining('files_checksum') })
  await mesh.ctx.agentWrites.flush()
  expect((await mesh.row(id)).nginx).toBe(null)
})

test('a config status that cannot be read is logged and changes nothing', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  using agent = await connected(mesh, token)
  await agent.next('configUpdate')
  agent.send({ case: 'configStatus', value: { configChecksum: 'nonsense', status: ConfigApplyStatus.SUCCESS } })
  agent.send({ case: 'configStatus', value: { version: -4n, status: ConfigApplyStatus.SUCCESS } })
  agent.send({ case: 'configStatus', value: { version: 999n, status: ConfigApplyStatus.SUCCESS } })
  agent.send({ case: 'health', value: {} })
  await agent.next('ack')
  await mesh.ctx.agentWrites.flush()
  expect(await mesh.row(id)).toMatchObject({ config_status: 'pending', applied_digest: null })
  expect(mesh.logged.filter((line) => line.includes('config status refused'))).toHaveLength(2)
})
