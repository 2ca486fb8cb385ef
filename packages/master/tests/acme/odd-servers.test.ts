import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { newChain } from '@nxmesh/testkit/certificates'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { newAccountKey } from '../../src/certificates/acme/account-key.ts'
import { type AcmeAccount, type AcmeClient, openAcmeClient } from '../../src/certificates/acme/client.ts'
import { openOutbound } from '../../src/outbound/outbound.ts'
import { type AcmeDouble, json, order, page, problem, startAcmeDouble } from './acme-double.ts'

const clock = { now: Date.parse('2026-11-27T12:00:00Z') }
const outbound = openOutbound(['127.0.0.1'])
const options = { names: ['example.com'], profile: null, replaces: null }
let double: AcmeDouble
let client: AcmeClient
let account: AcmeAccount

beforeEach(async () => {
  double = await startAcmeDouble()
  client = openAcmeClient({ directoryUrl: double.directoryUrl, outbound, ca: undefined, now: () => clock.now })
  account = { url: `${double.base}/account/1`, keyPem: newAccountKey() }
})

afterEach(async () => {
  vi.restoreAllMocks()
  await double[Symbol.asyncDispose]()
})

const refusal = (type: string, more: object = {}) => ({ ok: false, problem: expect.objectContaining({ type, ...more }) })
const newOrder = () => client.newOrder(account, options)

test.each([
  ['seconds', '120', 120_000],
  ['a date', 'Fri, 27 Nov 2026 13:00:00 GMT', 3_600_000],
  ['nonsense', 'soon', null],
])('a CA that limits says until when in %s', async (_how, header, after) => {
  double.next('/newOrder', problem(429, 'rateLimited', { 'retry-after': header }))
  const retryAt = after === null ? null : clock.now + after
  expect(await newOrder()).toEqual(refusal('rateLimited', { status: 429, retryAt }))
})

test('what limits need not be the CA itself, and may stop the first step', async () => {
  double.next('/newOrder', page(429, { 'retry-after': '60' }))
  expect(await newOrder()).toEqual(refusal('rateLimited', { retryAt: clock.now + 60_000 }))
  const fresh = openAcmeClient({ directoryUrl: double.directoryUrl, outbound, ca: undefined, now: () => clock.now })
  double.next('/newNonce', page(503, { 'retry-after': '60' }))
  expect(await fresh.newOrder(account, options)).toEqual(refusal('serverInternal', { status: 503, retryAt: clock.now + 60_000 }))
})

test.each([
  [502, 'serverInternal'],
  [404, 'malformedAnswer'],
  [200, 'malformedAnswer'],
])('a page for people with status %i', async (status, type) => {
  double.next('/dir', page(status))
  expect(await client.directory()).toEqual(refusal(type))
  expect(await client.directory()).toMatchObject({ ok: true })
})

test('five nonces in a row that are refused stop nobody; one that refuses all is given up', async () => {
  const refusals = Array.from({ length: 5 }, () => problem(400, 'badNonce'))
  double.next('/newOrder', ...refusals)
  expect(await newOrder()).toMatchObject({ ok: true })
  const used = double.asked().map(({ header }) => header['nonce'])
  expect([used.length, new Set(used).size]).toEqual([6, 6])
  double.next('/newOrder', ...refusals, ...refusals)
  expect(await newOrder()).toEqual(refusal('badNonce', { status: 400 }))
})

test('steps at the same time have nonces of their own', async () => {
  const all = await Promise.all(Array.from({ length: 30 }, () => newOrder()))
  expect(all.filter(({ ok }) => !ok)).toEqual([])
  const refused = await Promise.all(
    Array.from({ length: 30 }, () => {
      double.next('/newOrder', problem(400, 'badNonce'))
      return newOrder()
    }),
  )
  expect(refused.filter(({ ok }) => !ok)).toEqual([])
})

test('a server that never sends nonces', async () => {
  double.next('/newNonce', (response) => {
    response.removeHeader('replay-nonce')
    response.end()
  })
  expect(await newOrder()).toEqual(refusal('malformedAnswer', { detail: expect.stringContaining('nonce') }))
})

test('endless answers are not read to their end, and half a chain is none', async () => {
  const { certPem, intermediatePem } = await newChain({ names: ['example.com'] })
  const url = `${double.base}/certificate/1`
  double.next('/certificate/1', (response) => response.end(certPem + intermediatePem))
  expect(await client.certificate(account, url)).toEqual({ ok: true, value: certPem + intermediatePem })
  double.next('/certificate/1', (response) => response.end(certPem + intermediatePem + '\n'.repeat(600_000)))
  expect(await client.certificate(account, url)).toEqual(refusal('malformedAnswer'))
  double.next('/certificate/1', (response) => {
    response.writeHead(200, { 'content-length': certPem.length + intermediatePem.length })
    response.write(certPem, () => response.destroy())
  })
  expect(await client.certificate(account, url)).toEqual(refusal('unreachable'))
  double.next('/dir', (response) => response.end(`{"more":"${'x'.repeat(600_000)}"}`))
  const fresh = openAcmeClient({ directoryUrl: double.directoryUrl, outbound, ca: undefined, now: () => clock.now })
  expect(await fresh.directory()).toEqual(refusal('malformedAnswer'))
})

test.each(['before it begins', 'in its middle'])('an answer that does not come, %s', async (when) => {
  // A nonce is at hand, so the next answer is the one that is asked for.
  await newOrder()
  const over = new AbortController()
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    expect(ms).toBe(30_000)
    return over.signal
  })
  const heard = () => setImmediate(() => over.abort())
  subscribe('http.client.response.finish', heard)
  double.next('/order/1', (response) => {
    if (when === 'in its middle') response.write('{"status":')
    else over.abort()
  })
  expect(await client.order(account, `${double.base}/order/1`)).toEqual(refusal('unreachable', { detail: 'no answer within 30 s' }))
  unsubscribe('http.client.response.finish', heard)
})

test('nobody at the address, and an address that may not be reached', async () => {
  const { directoryUrl, base } = double
  const guarded = openAcmeClient({ directoryUrl, outbound: openOutbound([]), ca: undefined, now: () => clock.now })
  expect(await guarded.directory()).toEqual(refusal('unreachable', { detail: expect.stringContaining('no public address') }))
  double.next('/dir', json(200, { newNonce: `${base}/newNonce`, newAccount: `${base}/a`, newOrder: 'http://169.254.169.254/latest' }))
  expect(await newOrder()).toEqual(refusal('unreachable', { detail: expect.stringContaining('169.254.169.254') }))
  await double[Symbol.asyncDispose]()
  expect(await client.order(account, `${base}/order/1`)).toEqual(refusal('unreachable'))
  double = await startAcmeDouble()
})

test('a directory with more than we know, and with less than the RFC wants', async () => {
  const { base } = double
  const least = { newNonce: `${base}/newNonce`, newAccount: `${base}/newAccount`, newOrder: `${base}/newOrder` }
  const nulls = { revokeCert: null, keyChange: null, renewalInfo: null, meta: { caaIdentities: null, profiles: null, website: 1 } }
  double.next('/dir', json(200, { ...least, ...nulls, newThing: { a: 1 }, 'random-text': 'https://example.com/why' }))
  expect(await client.directory()).toEqual({
    ok: true,
    value: { caaIdentities: [], externalAccountRequired: false, profiles: {}, hasRenewalInfo: false },
  })
  expect(await newOrder()).toMatchObject({ ok: true })
  const { certPem } = await newChain({ names: ['example.com'] })
  for (const result of [await client.rollKey(account, newAccountKey()), await client.revoke(account, certPem, 0)])
    expect(result).toEqual(refusal('malformedAnswer', { detail: expect.stringMatching(/keyChange|revokeCert/) }))
})

test('a directory is read anew after an hour, and one without orders is none', async () => {
  const read = () => double.heard.filter(({ path }) => path === '/dir').length
  for (let i = 0; i < 3; i++) await client.directory()
  expect(read()).toBe(1)
  clock.now += 3_600_000
  double.next('/dir', json(200, { newNonce: `${double.base}/newNonce` }))
  expect(await client.directory()).toEqual(refusal('malformedAnswer', { detail: expect.stringContaining('newAccount') }))
  expect(await client.directory()).toMatchObject({ ok: true })
  expect(read()).toBe(3)
})

test('orders as servers send them', async () => {
  const [url, common] = [`${double.base}/order/1`, order(double.base)]
  double.next(
    '/order/1',
    json(200, { ...common, status: 'processing', expires: null, error: null, certificate: null }, { 'retry-after': '9' }),
  )
  expect(await client.order(account, url)).toEqual({
    ok: true,
    value: { url, ...common, status: 'processing', certificate: null, problem: null, retryAt: clock.now + 9000 },
  })
  double.next('/finalize/1', json(200, { ...common, status: 'valid' }, { location: `${double.base}/elsewhere` }))
  const finalized = await client.finalize(account, { url, finalize: common.finalize }, new Uint8Array([1, 2, 255]))
  expect(finalized).toMatchObject({ ok: true, value: { url, status: 'valid', certificate: null } })
  expect(double.asked().at(-1)!.payload).toEqual({ csr: 'AQL_' })
  const subproblem = { type: 'urn:ietf:params:acme:error:caa', detail: 'CAA forbids it', identifier: { type: 'dns', value: 'a.test' } }
  const error = { type: 'urn:ietf:params:acme:error:compound', detail: 'x'.repeat(20_000), status: 403, subproblems: [subproblem] }
  double.next('/order/1', json(200, { ...common, status: 'invalid', error }))
  const failed = await client.order(account, url)
  expect(failed).toMatchObject({ ok: true, value: { problem: { type: 'compound', subproblems: [{ identifier: 'a.test', type: 'caa' }] } } })
  double.next('/newOrder', json(201, common))
  expect(await newOrder()).toEqual(refusal('malformedAnswer', { detail: 'no address of the order' }))
})

test('an authorization of an old server', async () => {
  const url = `${double.base}/authorization/1`
  const challenge = { type: 'http-01', url: `${double.base}/challenge/1`, status: 'pending', token: 'abc', error: null }
  const foreign = { type: 'tkauth-01', url: `${double.base}/challenge/2`, status: 'pending', token: null }
  const body = { identifier: { type: 'dns', value: 'example.com' }, status: 'pending', wildcard: null, challenges: [challenge, foreign] }
  double.next('/authorization/1', json(200, body))
  expect(await client.authorization(account, url)).toEqual({
    ok: true,
    value: {
      url,
      name: 'example.com',
      wildcard: false,
      status: 'pending',
      retryAt: null,
      challenges: [
        { type: 'http-01', url: challenge.url, status: 'pending', token: 'abc', problem: null },
        { type: 'tkauth-01', url: foreign.url, status: 'pending', token: '', problem: null },
      ],
    },
  })
})

test('requests are signed as RFC 8555 wants them, and keep their secrets', async () => {
  const eab = { kid: 'kid-1', hmacKey: Buffer.from('a key of at least thirty-two bytes').toString('base64url') }
  await client.register(account.keyPem, { email: 'ops@example.com', eab })
  await client.order(account, `${double.base}/order/1`)
  const [made, read] = double.asked()
  const { alg, jwk, url, ...rest } = made!.header
  expect([alg, url, Object.keys(rest)]).toEqual(['ES256', `${double.base}/newAccount`, ['nonce']])
  expect(Object.keys(jwk as object).toSorted()).toEqual(['crv', 'kty', 'x', 'y'])
  expect(made!.payload).toMatchObject({ termsOfServiceAgreed: true, contact: ['mailto:ops@example.com'] })
  expect([read!.header['kid'], read!.header['jwk'], read!.payload]).toEqual([account.url, undefined, undefined])
  const sent = double.heard.filter(({ method }) => method === 'POST')
  for (const { headers } of sent) expect(headers).toMatchObject({ 'content-type': 'application/jose+json', 'user-agent': 'NxMesh' })
  double.next('/newAccount', problem(401, 'unauthorized'))
  const told = JSON.stringify([await client.register(account.keyPem, { email: null, eab }), sent])
  expect(told).not.toContain(eab.hmacKey)
  expect(told).not.toContain('PRIVATE KEY')
})
