import 'reflect-metadata'
import { newChain } from '@nxmesh/testkit/certificates'
import * as x509 from '@peculiar/x509'
import { expect, test } from 'vitest'
import { newAccountKey } from '../../src/certificates/acme/account-key.ts'
import { openAcmeClient } from '../../src/certificates/acme/client.ts'
import { openOutbound } from '../../src/outbound/outbound.ts'
import { type AcmeDouble, json, problem, startAcmeDouble } from './acme-double.ts'

const now = Date.parse('2026-11-27T12:00:00Z')
const profiles = { classic: 'Ninety days', shortlived: 'https://example.com/six-days' }
const modern = (base: string) => ({ renewalInfo: `${base}/ari/`, meta: { profiles, caaIdentities: ['ca.test'] } })
// Of the example in RFC 9773 section 4.1.
const example = { path: '/ari/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE', issuer: '69885b6b87464041e1b37b847ba0ae2cde01c8d4', serial: '87654321' }
const client = (double: AcmeDouble) =>
  openAcmeClient({ directoryUrl: double.directoryUrl, outbound: openOutbound(['127.0.0.1']), ca: undefined, now: () => now })
const account = (double: AcmeDouble) => ({ url: `${double.base}/account/1`, keyPem: newAccountKey() })

async function certificateOf({ issuer, serial }: { issuer: string; serial: string }): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const extensions = [new x509.AuthorityKeyIdentifierExtension(issuer)]
  const options = { serialNumber: serial, name: 'CN=example.com', keys, signingAlgorithm: algorithm, extensions }
  return (await x509.X509CertificateGenerator.createSelfSigned(options)).toString('pem')
}

test('a certificate is asked for by the name of RFC 9773', async () => {
  await using double = await startAcmeDouble(modern)
  const suggestedWindow = { start: '2026-12-01T00:00:00Z', end: '2026-12-02T02:00:00+02:00' }
  double.next(example.path, json(200, { suggestedWindow, explanationURL: 'https://example.com/why' }, { 'retry-after': '21600' }))
  const pem = await certificateOf(example)
  expect(await client(double).renewalInfo(pem)).toEqual({ ok: true, value: { ...suggestedWindow, retryAt: now + 21_600_000 } })
  double.next(example.path, problem(404, 'malformed'), json(200, { suggestedWindow: { start: 'soon', end: 'later' } }))
  expect(await client(double).renewalInfo(pem)).toMatchObject({ ok: false, problem: { type: 'malformed', status: 404 } })
  expect(await client(double).renewalInfo(pem)).toMatchObject({ ok: false, problem: { type: 'malformedAnswer' } })
})

test.each([
  ['7f01', 'fwE'],
  ['80', 'AIA'],
  ['0001', 'AQ'],
  ['00ff', 'AP8'],
])('serial number %s is %s', async (serial, name) => {
  await using double = await startAcmeDouble(modern)
  await client(double).renewalInfo(await certificateOf({ issuer: 'ff', serial }))
  expect(double.heard.at(-1)!.path).toBe(`/ari/_w.${name}`)
})

test('a CA that offers no renewal information, and a certificate that none can be asked for', async () => {
  const { certPem } = await newChain({ names: ['example.com'] })
  await using plain = await startAcmeDouble()
  await using more = await startAcmeDouble(modern)
  expect(await client(plain).renewalInfo(await certificateOf(example))).toEqual({ ok: true, value: null })
  expect(await client(more).renewalInfo(certPem)).toEqual({ ok: true, value: null })
})

test('an order says its profile, and what it replaces where the CA wants to know', async () => {
  await using plain = await startAcmeDouble()
  await using more = await startAcmeDouble(modern)
  expect(await client(more).directory()).toEqual({
    ok: true,
    value: { caaIdentities: ['ca.test'], externalAccountRequired: false, profiles, hasRenewalInfo: true },
  })
  const options = { names: ['example.com', '192.0.2.1', '2001:db8::1'], profile: 'shortlived', replaces: await certificateOf(example) }
  for (const double of [plain, more]) expect(await client(double).newOrder(account(double), options)).toMatchObject({ ok: true })
  const identifiers = [
    { type: 'dns', value: 'example.com' },
    { type: 'ip', value: '192.0.2.1' },
    { type: 'ip', value: '2001:db8::1' },
  ]
  const replaces = 'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE'
  expect(plain.asked().map(({ payload }) => payload)).toEqual([{ identifiers, profile: 'shortlived' }])
  expect(more.asked().map(({ payload }) => payload)).toEqual([{ identifiers, profile: 'shortlived', replaces }])
})
