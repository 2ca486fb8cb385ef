import { type Bind, startBind } from '@nxmesh/testkit/bind'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DnsProviderTarget, openDnsProvider } from '../../src/certificates/dns/provider.ts'
import { openResolver, type Resolver } from '../../src/certificates/dns/resolver.ts'
import { openOutbound } from '../../src/outbound/outbound.ts'

const stack = new AsyncDisposableStack()
let bind: Bind
let resolver: Resolver

beforeAll(async () => {
  const directory = stack.use(await scratch())
  bind = stack.use(
    await startBind(directory.path, {
      open: {
        'example.test': [
          'www A 192.0.2.1',
          'www AAAA 2001:db8::1',
          'text TXT "only"',
          '_acme-challenge.delegated CNAME to.auth.test.',
          '_acme-challenge.elsewhere CNAME elsewhere.auth.test.',
          '_acme-challenge.circle CNAME _acme-challenge.back',
          '_acme-challenge.back CNAME _acme-challenge.circle',
          ...Array.from({ length: 12 }, (_, index) => `_acme-challenge.long${index} CNAME _acme-challenge.long${index + 1}`),
          '@ CAA 0 issue "ca.example"',
          'strict CAA 128 tbs "unknown"',
          'deep.strict A 192.0.2.3',
          'alias CNAME strict',
        ],
        'auth.test': ['elsewhere CNAME further.deep.auth.test.'],
      },
      fixed: { 'fixed.test': ['www A 192.0.2.2'], test: [] },
    }),
  )
  resolver = openResolver([bind.server])
})

afterAll(() => stack.disposeAsync())

function target(more: Partial<Extract<DnsProviderTarget, { kind: 'rfc2136' }>> = {}, key = bind.keys[0]!): DnsProviderTarget {
  const { name, algorithm, secret } = key
  return { kind: 'rfc2136', server: bind.server, zone: null, tsig_name: name, tsig_algorithm: algorithm, tsig_secret: secret, ...more }
}

function open(what: DnsProviderTarget, networks = ['127.0.0.1'], now = Date.now) {
  return openDnsProvider(what, { outbound: openOutbound(networks), resolver, now })
}

const seen = async (name: string, value: string) => {
  const answer = await resolver.sees({ name, value })
  return answer.ok ? answer.seen : answer.message
}

describe('records of challenges', () => {
  test('a wildcard and its base name have a record each at once, and each goes by itself', async () => {
    const name = '_acme-challenge.www.example.test'
    const provider = open(target())
    expect(await provider.present({ name, value: 'first' })).toEqual({ ok: true })
    expect(await provider.present({ name, value: 'second' })).toEqual({ ok: true })
    expect(await provider.present({ name, value: 'second' })).toEqual({ ok: true })
    expect([await seen(name, 'first'), await seen(name, 'second'), await seen(name, 'third')]).toEqual([true, true, false])
    expect(await provider.cleanup({ name, value: 'first' })).toEqual({ ok: true })
    expect([await seen(name, 'first'), await seen(name, 'second')]).toEqual([false, true])
    expect(await provider.cleanup({ name, value: 'first' })).toEqual({ ok: true })
    expect(await provider.cleanup({ name, value: 'second' })).toEqual({ ok: true })
    expect(await seen(name, 'second')).toBe(false)
  })

  test('a key of another algorithm, a zone that is named and a value of many bytes do', async () => {
    const name = '_acme-challenge.other.example.test'
    const provider = open(target({ zone: 'example.test' }, bind.keys[1]))
    const value = 'x'.repeat(600)
    expect(await provider.present({ name, value })).toEqual({ ok: true })
    expect(await seen(name, value)).toBe(true)
    expect(await provider.cleanup({ name, value })).toEqual({ ok: true })
  })

  test.each([
    ['delegated.example.test', 'to.auth.test'],
    ['elsewhere.example.test', 'further.deep.auth.test'],
  ])('the challenge of %s goes to %s', async (name, expected) => {
    expect(await resolver.challengeName(name)).toEqual({ ok: true, name: expected })
    const record = { name: expected, value: 'delegated' }
    expect(await open(target()).present(record)).toEqual({ ok: true })
    expect(await seen(expected, 'delegated')).toBe(true)
    expect(await open(target()).cleanup(record)).toEqual({ ok: true })
  })

  test('aliases in a circle and long chains of them end', async () => {
    expect(await resolver.challengeName('circle.example.test')).toMatchObject({ ok: false, message: expect.stringContaining('circle') })
    expect(await resolver.challengeName('long0.example.test')).toMatchObject({
      ok: false,
      message: expect.stringContaining('more than 10'),
    })
  })
})

describe('what goes wrong', () => {
  const record = { name: '_acme-challenge.www.example.test', value: 'never' }
  const wrong = Buffer.alloc(32, 7).toString('base64')

  test.each([
    ['another secret', () => open(target({ tsig_secret: wrong })), 'BADSIG', false],
    ['a key that is not there', () => open(target({ tsig_name: 'nobody.key' })), 'BADKEY', false],
    ['a clock that is wrong', () => open(target(), ['127.0.0.1'], () => Date.now() - 3_600_000), 'BADTIME', false],
    ['a zone that it does not hold', () => open(target({ zone: 'nowhere.test' })), 'NOTAUTH', false],
    ['a network that is not public', () => open(target(), []), '--outbound-networks', true],
  ])('%s', async (_, provider, message, retry) => {
    const outcome = await provider().present(record)
    expect(outcome).toEqual({ ok: false, message: expect.stringContaining(message), retry })
    expect(JSON.stringify(outcome)).not.toContain(wrong)
    expect(await seen(record.name, record.value)).toBe(false)
  })

  test('a zone that takes no updates', async () => {
    const outcome = await open(target()).present({ name: '_acme-challenge.www.fixed.test', value: 'never' })
    expect(outcome).toEqual({ ok: false, message: expect.stringContaining('REFUSED'), retry: false })
  })

  test('a server that is away', async () => {
    const port = await freePort()
    const outcome = await open(target({ server: `127.0.0.1:${port}` })).present(record)
    expect(outcome).toEqual({ ok: false, message: expect.stringContaining('ECONNREFUSED'), retry: true })
    const away = openResolver([`127.0.0.1:${port}`], { timeout: 200 })
    expect(await away.zoneOf('www.example.test')).toMatchObject({ ok: false })
    expect(await away.caa('www.example.test')).toMatchObject({ ok: false })
    expect(await away.addresses('www.example.test')).toMatchObject({ ok: false, missing: false })
  })
})

describe('looking things up', () => {
  test('the zone of a name', async () => {
    expect(await resolver.zoneOf('a.b.www.example.test')).toEqual({ ok: true, zone: 'example.test' })
    expect(await resolver.zoneOf('example.test')).toEqual({ ok: true, zone: 'example.test' })
  })

  test('addresses, and that there are none', async () => {
    expect(await resolver.addresses('www.example.test')).toEqual({ ok: true, addresses: ['192.0.2.1', '2001:db8::1'] })
    expect(await resolver.addresses('text.example.test')).toMatchObject({ ok: false, missing: true })
    expect(await resolver.addresses('nobody.example.test')).toMatchObject({ ok: false, missing: true })
  })

  const apex = { name: 'example.test', records: [{ critical: false, tag: 'issue', value: 'ca.example' }] }
  const strict = [{ critical: true, tag: 'tbs', value: 'unknown' }]
  test.each([
    ['example.test', apex],
    ['a.b.www.example.test', apex],
    ['*.www.example.test', apex],
    ['deep.strict.example.test', { name: 'strict.example.test', records: strict }],
    ['alias.example.test', { name: 'alias.example.test', records: strict }],
    ['www.fixed.test', null],
  ])('the CAA records that rule %s', async (name, found) => {
    expect(await resolver.caa(name)).toEqual({ ok: true, found })
  })
})
