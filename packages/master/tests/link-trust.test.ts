import { capability } from '@nxmesh/proto/capability'
import 'reflect-metadata'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { connectForeign } from '../../../e2e/foreign/agent.ts'
import type { DeploymentMode, RegistrationRequestSchema } from '../../../e2e/foreign/gen/agent_pb.ts'
import { openAuthority } from '../src/authority.ts'
import { openSqlite } from '../src/db/open.ts'
import { type Harness, startHarness, until } from './link-harness.ts'
import { connectNative, newRequest } from './link-native.ts'

const secrets = { seal: (text: string) => text, open: (text: string) => text, fingerprint: (text: string) => text }

async function refusedForeign(mesh: Harness, token: string) {
  await using agent = mesh.connect()
  agent.send({ case: 'registration', value: { token } })
  const error = await agent.next('error')
  const answer = await agent.next('registrationResponse')
  expect(answer).toMatchObject({ success: false, errorMessage: error.message })
  return { code: error.code, status: ConnectError.from(await agent.ended).code }
}

test('a token that is garbage, expired, revoked or of a deleted agent is refused with a code', async () => {
  await using mesh = await startHarness()
  const unauthenticated = (code: string) => ({ code, status: Code.Unauthenticated })
  expect(await refusedForeign(mesh, '')).toEqual(unauthenticated('CREDENTIALS_MISSING'))
  expect(await refusedForeign(mesh, 'nonsense')).toEqual(unauthenticated('TOKEN_INVALID'))
  expect(await refusedForeign(mesh, `nxmesh_agent_${'A'.repeat(100_000)}`)).toEqual(unauthenticated('TOKEN_INVALID'))
  expect(await refusedForeign(mesh, `nxmesh_agent_${Buffer.from('null').toString('base64url')}`)).toEqual(unauthenticated('TOKEN_INVALID'))

  const expired = await mesh.agentToken({ token_expires_at: new Date(Date.now() - 1000).toISOString() })
  expect(await refusedForeign(mesh, expired.token)).toEqual(unauthenticated('TOKEN_EXPIRED'))
  const revoked = await mesh.agentToken({ token_hash: null })
  expect(await refusedForeign(mesh, revoked.token)).toEqual(unauthenticated('TOKEN_REVOKED'))
  const deleted = await mesh.agentToken()
  await mesh.ctx.db.deleteFrom('agents').where('id', '=', deleted.id).execute()
  expect(await refusedForeign(mesh, deleted.token)).toEqual(unauthenticated('TOKEN_INVALID'))
  const [one, two] = [await mesh.agentToken(), await mesh.agentToken()]
  const body = JSON.parse(Buffer.from(one.token.slice('nxmesh_agent_'.length), 'base64url').toString())
  const forged = `nxmesh_agent_${Buffer.from(JSON.stringify({ ...body, agent_id: two.id })).toString('base64url')}`
  expect(await refusedForeign(mesh, forged)).toEqual(unauthenticated('TOKEN_INVALID'))
  expect(mesh.logged.join()).not.toContain(body.secret)
  expect(mesh.ctx.sessions.size()).toBe(0)
})

test('a token that registered in time goes on working after its time', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  const first = mesh.connect()
  await first.register({ token })
  await first[Symbol.asyncDispose]()
  await until('offline', async () => (await mesh.row(id)).connected === 0)
  mesh.clock.offset = 30 * 86_400_000
  await using second = mesh.connect()
  expect(await second.register({ token })).toMatchObject({ success: true })
})

test('bad fields are refused by name and nothing is registered', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  const cases = [
    [{ hostname: 'x'.repeat(300) }, 'hostname'],
    [{ hostname: 'a\nb' }, 'hostname'],
    [{ labels: { 'not a key': 'x' } }, 'labels.not a key'],
    [{ labels: { region: 'no spaces allowed' } }, 'labels.region'],
    [{ capabilities: [''] }, 'capabilities.0'],
    [{ deploymentMode: 77 as DeploymentMode }, 'deployment_mode'],
  ] satisfies [MessageInitShape<typeof RegistrationRequestSchema>, string][]
  for (const [fields, field] of cases) {
    await using agent = mesh.connect()
    agent.send({
      case: 'registration',
      value: { token, ...fields },
    })
    const error = await agent.next('error')
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { [field]: expect.any(String) } })
    expect(ConnectError.from(await agent.ended).code).toBe(Code.InvalidArgument)
  }
  await using stranger = mesh.connect()
  stranger.send({ case: 'registration', value: { token } }, '00000000-0000-7000-8000-00000000dead')
  expect(await stranger.next('error')).toMatchObject({ code: 'AGENT_MISMATCH' })
  expect(ConnectError.from(await stranger.ended).code).toBe(Code.PermissionDenied)
  expect((await mesh.row(id)).registered_at).toBeNull()
})

test('a newer session takes the place of the older one at once', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  await using old = mesh.connect()
  await old.register({ token })
  await using young = mesh.connect()
  await young.register({ token })
  expect(await old.next('error')).toMatchObject({ code: 'SESSION_REPLACED' })
  expect(ConnectError.from(await old.ended).code).toBe(Code.Aborted)
  await mesh.ctx.agentWrites.flush()
  expect(await mesh.row(id)).toMatchObject({ connected: 1, state: 'online' })
})

test('a token cannot be used by another machine, and two boots that take turns are a clone', async () => {
  await using mesh = await startHarness()
  const { token } = await mesh.agentToken()
  const { caPem } = mesh.ctx.authority
  const as = (machineId: string, bootId: string) => {
    const agent = connectNative(mesh.port, caPem)
    agent.send({ case: 'registration', value: { token, capability: 1, machineId, bootId } })
    return agent
  }
  using first = as('machine-a', 'boot-1')
  await first.next('registrationResponse')
  using other = as('machine-b', 'boot-9')
  expect(await other.next('error')).toMatchObject({ code: 'AGENT_CLONED' })
  expect((await other.ended).code).toBe(status.ALREADY_EXISTS)

  using rebooted = as('machine-a', 'boot-2')
  expect(await rebooted.next('registrationResponse')).toMatchObject({ success: true })
  await first.ended
  using back = as('machine-a', 'boot-1')
  expect(await back.next('error')).toMatchObject({ code: 'AGENT_CLONED', message: expect.stringContaining('take turns') })
  expect(mesh.logged.filter((line) => line.includes('"level":40'))).toHaveLength(2)
  expect(mesh.ctx.sessions.size()).toBe(1)
})

test('an agent upgrades to a certificate, its token dies with that, and renewal works over the session', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  const { caPem } = mesh.ctx.authority
  const { csr, key } = await newRequest()
  const machine = { capability: 1, machineId: 'm', bootId: 'b' }
  using first = connectNative(mesh.port, caPem)
  first.send({ case: 'registration', value: { token, ...machine, certificateSigningRequest: csr } })
  const cert = (await first.next('registrationResponse')).issuedCertificate!.chainPem
  expect(cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)

  using second = connectNative(mesh.port, caPem, { cert, key })
  second.send({ case: 'registration', value: machine })
  expect(await second.next('registrationResponse')).toMatchObject({ success: true, agentId: id, capability })
  const renewal = await newRequest()
  second.send({ case: 'certificateSigningRequest', value: { der: renewal.csr } })
  expect((await second.next('issuedCertificate')).chainPem).toContain('BEGIN CERTIFICATE')

  expect(await refusedForeign(mesh, token)).toEqual({ code: 'TOKEN_UPGRADED', status: Code.Unauthenticated })
  expect(mesh.ctx.sessions.get(id)).toBeDefined()

  // An agent that was off for longer than its certificate lives may only ask for a new one.
  mesh.clock.offset = 10 * 86_400_000
  using late = connectNative(mesh.port, caPem, { cert, key })
  late.send({ case: 'registration', value: machine })
  expect(await late.next('error')).toMatchObject({ code: 'CERTIFICATE_EXPIRED' })
  using renewed = connectNative(mesh.port, caPem, { cert, key })
  renewed.send({ case: 'registration', value: { ...machine, certificateSigningRequest: renewal.csr } })
  expect((await renewed.next('registrationResponse')).issuedCertificate).toBeDefined()
})

test('a request that does not prove its key gets no certificate', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  const { csr } = await newRequest()
  csr[csr.length - 5]! ^= 1
  using agent = connectNative(mesh.port, mesh.ctx.authority.caPem)
  agent.send({ case: 'registration', value: { token, capability: 1, certificateSigningRequest: csr } })
  expect(await agent.next('error')).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { certificate_signing_request: expect.any(String) },
  })
  expect((await mesh.row(id)).registered_at).toBeNull()
})

test('revoking and deleting cut a session at once and keep certificates out', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  const { caPem } = mesh.ctx.authority
  const { csr, key } = await newRequest()
  using agent = connectNative(mesh.port, caPem)
  agent.send({ case: 'registration', value: { token, capability: 1, certificateSigningRequest: csr } })
  const cert = (await agent.next('registrationResponse')).issuedCertificate!.chainPem
  const revoked = { token_hash: null, certificates_valid_from: new Date(Date.now() + 1000).toISOString() }
  await mesh.ctx.db.updateTable('agents').set(revoked).where('id', '=', id).execute()
  mesh.ctx.sessions.cut(id, 'the agent was revoked')
  expect(mesh.ctx.sessions.get(id)).toBeUndefined()
  expect(await agent.ended).toMatchObject({ code: status.UNAUTHENTICATED, details: 'the agent was revoked' })
  using again = connectNative(mesh.port, caPem, { cert, key })
  again.send({ case: 'registration', value: { capability: 1 } })
  expect(await again.next('error')).toMatchObject({ code: 'CERTIFICATE_REVOKED' })
  await mesh.ctx.db.deleteFrom('agents').where('id', '=', id).execute()
  using gone = connectNative(mesh.port, caPem, { cert, key })
  gone.send({ case: 'registration', value: { capability: 1 } })
  expect(await gone.next('error')).toMatchObject({ code: 'AGENT_DELETED' })
})

test('a certificate of another CA proves nothing, and an agent that trusts another CA does not talk', async () => {
  await using mesh = await startHarness()
  const db = await openSqlite(':memory:')
  const other = await openAuthority(db, secrets, Date.now)
  const { id } = await mesh.agentToken()
  const { csr, key } = await newRequest()
  const cert = (await other.issueAgentCertificate(csr, id))!
  using imposter = connectNative(mesh.port, mesh.ctx.authority.caPem, { cert, key })
  imposter.send({ case: 'registration', value: { capability: 1 } })
  expect(await imposter.next('error')).toMatchObject({ code: 'CERTIFICATE_INVALID' })
  await using misled = connectForeign({ port: mesh.port, caPem: other.caPem })
  misled.send({ case: 'registration', value: { token: 'x' } })
  expect(await misled.ended).toBeInstanceOf(Error)
  expect(misled.received).toEqual([])
  await db.destroy()
})

test('one CA comes out even when two masters make it at once, and agents with slow clocks are served', async () => {
  const db = await openSqlite(':memory:')
  const [one, two] = await Promise.all([openAuthority(db, secrets, Date.now), openAuthority(db, secrets, Date.now)])
  expect(one.fingerprint).toBe(two.fingerprint)
  const { csr } = await newRequest()
  const { X509Certificate } = await import('node:crypto')
  const leaf = new X509Certificate((await one.issueAgentCertificate(csr, '00000000-0000-7000-8000-000000000009'))!)
  expect(leaf.validFromDate.getTime()).toBeLessThan(Date.now() - 23 * 3_600_000)
  expect(two.agentOf(leaf.raw)).toMatchObject({ agentId: '00000000-0000-7000-8000-000000000009', expired: false })
  const server = new X509Certificate((await one.serverCertificate(['10.1.2.3', 'mesh.example'])).certPem)
  expect(one.agentOf(server.raw)).toBeUndefined()
  expect(server.checkHost('mesh.example')).toBe('mesh.example')
  expect(server.checkIP('10.1.2.3')).toBe('10.1.2.3')
  await db.destroy()
})
