import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { capability } from '@nxmesh/proto/capability'
import { ConfigApplyStatus } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { type ScriptedMaster, startScriptedMaster } from './scripted-master.ts'
import { answering, applyOn, ask, desired, host, openBench, startOn, until } from './testing.ts'
import { toWire } from './wire.ts'

type Case = NonNullable<ScriptedMaster['heard'][number]['payload']['case']>

function said<C extends Case>(master: ScriptedMaster, which: C) {
  return master.heard.flatMap(({ payload }) =>
    payload.case === which ? [payload.value as Extract<typeof payload, { case: C }>['value']] : [],
  )
}

describe('the link', () => {
  test('joins with a token, gets a certificate, applies what it is sent and says each step', async () => {
    await using bench = await openBench()
    await using master = await startScriptedMaster()
    const port = await freePort()
    await using agent = await startOn(bench, { master: master.address, token: master.token, labels: { tier: 'edge' } })
    await until('it registers', () => said(master, 'registration').length > 0)
    const [registration] = said(master, 'registration')
    expect(registration).toMatchObject({
      token: master.token,
      labels: { tier: 'edge' },
      ipAddress: '127.0.0.1',
      capability,
      version: '0.1.0',
    })
    expect(registration!.machineId).not.toBe('')
    expect(registration!.bootId).not.toBe('')
    expect(registration!.certificateSigningRequest.length).toBeGreaterThan(100)
    await until('it keeps the certificate', () => stat(join(bench.data, 'identity/certificate.pem')))
    expect((await stat(join(bench.data, 'identity/key.pem'))).mode & 0o777).toBe(0o600)

    master.send({ case: 'configUpdate', value: toWire(desired(1, { virtual_hosts: [answering(port, 'one')] })) })
    await until('it is applied', () => said(master, 'configStatus').some((each) => each.status === ConfigApplyStatus.SUCCESS))
    expect(await ask(port)).toBe('one')
    const steps = said(master, 'configStatus')
    const { PENDING, VALIDATING, APPLYING, SUCCESS } = ConfigApplyStatus
    expect(steps.map((each) => each.status)).toEqual([PENDING, VALIDATING, APPLYING, SUCCESS])
    expect(steps.at(-1)).toMatchObject({ configId: 'config-1', version: 1n, configChecksum: agent.state.good?.digest })
    expect(Number(steps.at(-1)!.appliedAt)).toBeGreaterThan(Date.now() - 60_000)
    await until('health says so', () => said(master, 'health').some((each) => each.servingChecksum === agent.state.good?.digest))
    expect(said(master, 'health').at(-1)).toMatchObject({ configVersion: 1n, drifted: false, nginx: { isRunning: true } })

    const bad = host(port, { custom_directives: { no_such_directive: 'on' } })
    master.send({ case: 'configUpdate', value: toWire(desired(2, { virtual_hosts: [bad] })) })
    await until('it is refused', () => said(master, 'configStatus').some((each) => each.status === ConfigApplyStatus.FAILED))
    const failed = said(master, 'configStatus').at(-1)!
    expect(failed.errorMessage).toContain('unknown directive "no_such_directive"')
    expect(failed.findings[0]).toMatchObject({ severity: 'error', kind: 'virtual_host', id: bad.id })
    expect(await ask(port)).toBe('one')
    const stamps = master.heard.map((message) => message.timestamp)
    expect(new Set(stamps).size).toBe(stamps.length)
  })

  test('later sessions prove themselves with the certificate, without the token, and say what is applied and refused', async () => {
    await using bench = await openBench()
    await using master = await startScriptedMaster()
    const port = await freePort()
    {
      await using agent = await startOn(bench, { master: master.address, token: master.token })
      await until('it keeps the certificate', () => stat(join(bench.data, 'identity/certificate.pem')))
      await applyOn(agent, bench, desired(3, { virtual_hosts: [answering(port, 'three')] }))
      await applyOn(agent, bench, desired(4, { virtual_hosts: [host(port, { custom_directives: { no_such_directive: 'on' } })] }))
    }
    await using agent = await startOn(bench, { master: master.address })
    await until('it registers again', () => said(master, 'registration').length > 1)
    const again = said(master, 'registration').at(-1)!
    expect(again.token).toBe('')
    expect(master.peers.at(-1)).not.toBe('')
    expect(again).toMatchObject({
      configVersion: 3n,
      configChecksum: agent.state.good?.digest,
      rejectedChecksum: agent.state.rejected?.digest,
    })
    await until('it repeats its last word', () =>
      said(master, 'configStatus').some((each) => each.version === 4n && each.status === ConfigApplyStatus.FAILED),
    )
  })

  test('commands are answered by events, and one that comes twice is answered twice but run once', async () => {
    await using bench = await openBench()
    await using master = await startScriptedMaster()
    await using agent = await startOn(bench, { master: master.address, token: master.token })
    await until('nginx runs', async () => (await agent.health()).nginx.is_running && said(master, 'health').length > 0)
    const { pid } = (await agent.health()).nginx
    for (let time = 1; time <= 2; time++) {
      master.send({ case: 'command', value: { commandId: 'x', command: { case: 'restart', value: { force: true } } } })
      await until('it is answered', () => said(master, 'event').length === time)
    }
    const [first, second] = said(master, 'event')
    expect(first).toMatchObject({ eventType: 'command.result', data: { command_id: 'x', success: 'true' } })
    expect(second!.data).toEqual(first!.data)
    expect(second!.eventId).not.toBe(first!.eventId)
    expect((await agent.health()).nginx.pid).not.toBe(pid)
    expect(bench.log.filter((line) => line.includes('started again'))).toEqual([])

    const before = said(master, 'health').length
    master.send({ case: 'command', value: { commandId: 'y', command: { case: 'getStatus', value: {} } } })
    await until('it reports', () => said(master, 'health').length > before && said(master, 'event').at(-1)?.data['command_id'] === 'y')

    master.send({ case: 'command', value: { commandId: 'z', command: { case: 'stop', value: { graceful: false } } } })
    await until('it is answered', () => said(master, 'event').at(-1)?.data['command_id'] === 'z')
    expect(said(master, 'health').at(-1)?.nginx?.isRunning).toBe(false)
  })

  test('a server with another CA is refused with a clear error, and nothing is sent to it', async () => {
    await using bench = await openBench()
    await using impostor = await startScriptedMaster()
    await using master = await startScriptedMaster()
    await using _agent = await startOn(bench, { master: impostor.address, token: master.token })
    await until('it is told', () => bench.log.find((line) => line.includes('is not the master that the token is from')))
    expect(impostor.heard).toEqual([])
  })

  test('the CA may come from a file, and one that does not fit is refused', async () => {
    await using bench = await openBench()
    await using master = await startScriptedMaster()
    await using other = await startScriptedMaster()
    const caFile = join(bench.directory, 'ca.pem')
    await writeFile(caFile, other.caPem)
    {
      await using _agent = await startOn(bench, { master: master.address, token: master.token, caFile })
      await until('it is told', () => bench.log.find((line) => /certificate/i.test(line) && line.includes('cannot be joined')))
      expect(master.heard).toEqual([])
    }
    await writeFile(caFile, master.caPem)
    await using _agent = await startOn(bench, { master: master.address, token: master.token, caFile })
    await until('it joins', () => said(master, 'registration').length > 0)
  })

  test('a master that starts later, goes away and comes back is joined by itself; nginx serves throughout', async () => {
    await using bench = await openBench()
    const port = await freePort()
    const masterPort = await freePort()
    const caOnly = await startScriptedMaster({ port: masterPort })
    await caOnly[Symbol.asyncDispose]()
    const caFile = join(bench.directory, 'ca.pem')
    await writeFile(caFile, caOnly.caPem)
    await using agent = await startOn(bench, { master: `127.0.0.1:${masterPort}`, token: caOnly.token, caFile })
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    expect(await ask(port)).toBe('one')
    await using master = await startScriptedMaster({ port: masterPort })
    await writeFile(caFile, master.caPem)
    await until('it joins', () => said(master, 'registration').length > 0)
    master.dropSessions()
    await until('it joins again', () => said(master, 'registration').length > 1)
    expect(await ask(port)).toBe('one')
  })

  test('a silent master is left after three heartbeats', async () => {
    await using bench = await openBench()
    await using master = await startScriptedMaster({ silent: true })
    await using _agent = await startOn(bench, { master: master.address, token: master.token })
    await until('it joins again', () => said(master, 'registration').length > 1)
    expect(bench.log.join('\n')).toMatch(/the master was silent for [345] s/)
  })

  test('a refusal is told in the words of the master, and the agent does not hammer', async () => {
    await using bench = await openBench()
    await using master = await startScriptedMaster({ refuse: 'the token was revoked' })
    await using agent = await startOn(bench, { master: master.address, token: master.token })
    await until('it is told', () => bench.log.find((line) => line.includes('refuses this agent: the token was revoked')))
    await until('nginx runs nevertheless', async () => (await agent.health()).nginx.is_running)
    expect(said(master, 'registration').length).toBe(1)
  })

  test('a certificate past half of its life is renewed over the session', async () => {
    await using bench = await openBench()
    await using master = await startScriptedMaster({ lifetimeMs: 2000 })
    await using _agent = await startOn(bench, { master: master.address, token: master.token })
    const path = join(bench.data, 'identity/certificate.pem')
    const first = await until('it has one', () => readFile(path, 'utf8'))
    await until('it asks for another', () => said(master, 'certificateSigningRequest').length > 0)
    await until('it keeps the new one', async () => (await readFile(path, 'utf8')) !== first)
    master.dropSessions(status.ABORTED)
    await until('it joins again', () => said(master, 'registration').length > 1)
  })
})
