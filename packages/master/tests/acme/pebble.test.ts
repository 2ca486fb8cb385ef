import { X509Certificate } from 'node:crypto'
import { createServer } from 'node:http'
import { join } from 'node:path'
import type { KeyType } from '@nxmesh/model/certificate'
import { type Pebble, startPebble } from '@nxmesh/testkit/pebble'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newAccountKey, thumbprintOf } from '../../src/certificates/acme/account-key.ts'
import { type AcmeAccount, type AcmeClient, openAcmeClient } from '../../src/certificates/acme/client.ts'
import { csrOf, newCertificateKey } from '../../src/certificates/acme/csr.ts'
import { type AcmeResult, explainProblem } from '../../src/certificates/acme/problem.ts'
import { openOutbound } from '../../src/outbound/outbound.ts'

const stack = new AsyncDisposableStack()
const outbound = openOutbound(['127.0.0.1'])
const none = { email: null, eab: null }
let directory: string
let httpPort: number
let pebble: Pebble
let client: AcmeClient
// What HTTP-01 challenges are answered with.
let thumbprint = ''

const clientOf = ({ directoryUrl, caPem }: Pebble) => openAcmeClient({ directoryUrl, outbound, ca: caPem, now: Date.now })

beforeAll(async () => {
  directory = stack.use(await scratch()).path
  const responder = createServer((request, response) => response.end(`${request.url!.split('/').at(-1)}.${thumbprint}`))
  await new Promise<void>((resolve) => responder.listen(0, '127.0.0.1', resolve))
  stack.defer(() => new Promise<void>((resolve) => void responder.close(() => resolve())))
  httpPort = (responder.address() as { port: number }).port
  pebble = stack.use(await startPebble({ directory, httpPort, nonceReject: 20 }))
  client = clientOf(pebble)
})

afterAll(() => stack.disposeAsync())

function good<T>(result: AcmeResult<T>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.problem))
  return result.value
}

async function register(): Promise<AcmeAccount> {
  const account = good(await client.register(newAccountKey(), none))
  thumbprint = thumbprintOf(account.keyPem)
  return account
}

/** An order for names once the CA has looked at all of them. */
async function proved(account: AcmeAccount, names: string[]) {
  const { url, authorizations } = good(await client.newOrder(account, { names, profile: null, replaces: null }))
  for (const one of authorizations) {
    const { challenges, status } = good(await client.authorization(account, one))
    if (status === 'pending') good(await client.respond(account, challenges.find(({ type }) => type === 'http-01')!.url))
  }
  return until('the CA to have looked', async () => {
    const order = good(await client.order(account, url))
    return order.status !== 'pending' && order
  })
}

async function issue(account: AcmeAccount, names: string[], type: KeyType = 'ec256'): Promise<string> {
  const order = await proved(account, names)
  expect([order.status, order.certificate]).toEqual(['ready', null])
  good(await client.finalize(account, order, await csrOf(names, await newCertificateKey(type))))
  const url = await until('the CA to have issued', async () => good(await client.order(account, order.url)).certificate)
  return good(await client.certificate(account, url))
}

test.each<[KeyType, string[]]>([
  ['ec256', ['a.example.com', 'b.example.com']],
  ['ec384', ['c.example.com', '127.0.0.1']],
  ['rsa2048', ['127.0.0.1']],
  ['rsa3072', ['d.example.com']],
])('a certificate with a key of type %s for %j', async (type, names) => {
  const [leaf, issuer] = (await issue(await register(), names, type)).split(/(?=-----BEGIN)/).map((pem) => new X509Certificate(pem))
  expect(leaf!.checkIssued(issuer!)).toBe(true)
  const said = leaf!.subjectAltName!.split(', ').map((name) => name.replace(/^(DNS|IP Address):/, ''))
  expect(said.toSorted()).toEqual(names.toSorted())
})

test('a key has one account, however often it is registered', async () => {
  const [keyPem, made] = [newAccountKey(), pebble.accounts()]
  expect(await client.find(keyPem)).toMatchObject({ ok: false, problem: { type: 'accountDoesNotExist' } })
  const first = good(await client.register(keyPem, { ...none, email: 'ops@example.com' }))
  expect([await client.register(keyPem, none), await client.find(keyPem)]).toEqual(Array(2).fill({ ok: true, value: first }))
  expect(pebble.accounts() - made).toBe(1)
})

test('an account goes on with its new key, and not with the old', async () => {
  const { url, keyPem } = await register()
  const next = { url, keyPem: newAccountKey() }
  good(await client.rollKey({ url, keyPem }, next.keyPem))
  thumbprint = thumbprintOf(next.keyPem)
  expect(await issue(next, ['rolled.example.com'])).toContain('BEGIN CERTIFICATE')
  expect(await client.find(next.keyPem)).toEqual({ ok: true, value: next })
  expect(await client.find(keyPem)).toMatchObject({ ok: false, problem: { type: 'accountDoesNotExist' } })
})

test('a certificate is revoked once, by its account alone, for a reason that there is', async () => {
  const account = await register()
  const pem = await issue(account, ['revoked.example.com'])
  const { serialNumber } = new X509Certificate(pem)
  const stranger = await client.revoke(await register(), pem, 0)
  expect(stranger).toMatchObject({ ok: false, problem: { type: 'unauthorized', status: 403 } })
  expect(stranger.ok || explainProblem(stranger.problem)).toMatchObject({ message: expect.stringContaining('account') })
  expect(await client.revoke(account, pem, 99)).toMatchObject({ ok: false, problem: { type: 'badRevocationReason' } })
  expect(await pebble.statusOf(serialNumber)).toBe('Valid')
  good(await client.revoke(account, pem, 4))
  expect(await pebble.statusOf(serialNumber)).toBe('Revoked')
  expect(await client.revoke(account, pem, 4)).toMatchObject({ ok: false, problem: { type: 'alreadyRevoked' } })
})

test('an answer of somebody else fails the order, with words for it', async () => {
  const account = await register()
  thumbprint = 'of-somebody-else'
  const order = await proved(account, ['foreign.example.com'])
  expect(order.status).toBe('invalid')
  const { status, challenges } = good(await client.authorization(account, order.authorizations[0]!))
  const problem = challenges.find(({ type }) => type === 'http-01')!.problem!
  expect([status, problem.type]).toEqual(['invalid', 'unauthorized'])
  expect(explainProblem(problem)).toMatchObject({
    message: expect.stringContaining('not shown that the name is ours'),
    fix: expect.stringContaining('port 80'),
  })
})

test('what a CA refuses of an order and of a request', async () => {
  const account = await register()
  const refused = await client.newOrder(account, { names: ['not_a_name..example'], profile: null, replaces: null })
  expect(refused).toMatchObject({ ok: false, problem: { status: 400 } })
  const order = await proved(account, ['named.example.com'])
  const csr = await csrOf(['other.example.com'], await newCertificateKey('ec256'))
  expect(await client.finalize(account, order, csr)).toMatchObject({
    ok: false,
    problem: { type: expect.stringMatching(/unauthorized|badCSR/) },
  })
})

test('a CA that wants an external account binding', async () => {
  const eab = { kid: 'kid-1', hmacKey: Buffer.from('a key of at least thirty-two bytes').toString('base64url') }
  await using strict = await startPebble({ directory: join(directory, 'strict'), httpPort: await freePort(), eab })
  const bound = clientOf(strict)
  expect(await bound.directory()).toMatchObject({ ok: true, value: { externalAccountRequired: true } })
  const keyPem = newAccountKey()
  expect(await bound.register(keyPem, none)).toMatchObject({ ok: false, problem: { type: 'externalAccountRequired' } })
  for (const wrong of [
    { ...eab, kid: 'kid-2' },
    { ...eab, hmacKey: 'c29tZXRoaW5nIGVsc2UgdGhhdCBpcyBsb25n' },
  ]) {
    const refused = await bound.register(keyPem, { email: null, eab: wrong })
    expect(refused).toMatchObject({ ok: false, problem: { type: expect.stringMatching(/unauthorized|malformed/) } })
    expect(JSON.stringify(refused)).not.toContain(wrong.hmacKey)
  }
  expect(await bound.register(keyPem, { email: null, eab })).toMatchObject({ ok: true })
})

test('a CA that has forgotten all accounts, and one that is away', async () => {
  const account = await register()
  await pebble.stop()
  expect(await client.order(account, account.url)).toMatchObject({ ok: false, problem: { type: 'unreachable', status: null } })
  await pebble.start()
  const order = { names: ['late.example.com'], profile: null, replaces: null }
  expect(await client.newOrder(account, order)).toMatchObject({ ok: false, problem: { type: 'accountDoesNotExist' } })
  const again = good(await client.register(account.keyPem, none))
  expect(await client.newOrder(again, order)).toMatchObject({ ok: true })
})
