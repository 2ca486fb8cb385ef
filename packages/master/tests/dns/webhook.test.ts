import { expect, test } from 'vitest'
import { openDnsProvider } from '../../src/certificates/dns/provider.ts'
import { openResolver } from '../../src/certificates/dns/resolver.ts'
import { openOutbound } from '../../src/outbound/outbound.ts'
import { startReceiver } from '../notifications/receiver.ts'

const record = { name: '_acme-challenge.www.example.test', value: 'the-value' }
const open = (url: string, networks = ['127.0.0.1']) =>
  openDnsProvider(
    { kind: 'webhook', url, username: 'me', password: 'pass-word' },
    { outbound: openOutbound(networks), resolver: openResolver([]), now: Date.now },
  )

test('a program is told what to write and what to remove', async () => {
  await using receiver = await startReceiver()
  const provider = open(`${receiver.url}/`)
  expect([await provider.present(record), await provider.cleanup(record)]).toEqual([{ ok: true }, { ok: true }])
  expect(receiver.heard.map(({ path }) => path)).toEqual(['/hook/present', '/hook/cleanup'])
  const [{ headers, body }] = receiver.heard as [(typeof receiver.heard)[0]]
  expect(JSON.parse(body)).toEqual({ fqdn: '_acme-challenge.www.example.test.', value: 'the-value' })
  expect([headers.authorization, headers['content-type']]).toEqual([`Basic ${btoa('me:pass-word')}`, 'application/json'])
})

test.each([
  [500, true],
  [403, false],
  [302, false],
])('an answer of %i is a failure, told without the password', async (status, retry) => {
  await using receiver = await startReceiver((response, _count, { headers }) =>
    response.writeHead(status, { location: 'http://127.0.0.1/' }).end(`pass-word and ${headers.authorization}`),
  )
  const message = `127.0.0.1:${receiver.port} answered ${status}: [redacted] and Basic [redacted]`
  expect(await open(receiver.url).present(record)).toEqual({ ok: false, message, retry })
})

test('a network that is not public is not reached', async () => {
  await using receiver = await startReceiver()
  expect(await open(receiver.url, []).present(record)).toMatchObject({ ok: false, message: expect.stringContaining('--outbound-networks') })
  expect(receiver.heard).toEqual([])
})
