import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { WireType } from '@bufbuild/protobuf/wire'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { digestOf } from '@nxmesh/model/digest'
import { algorithms } from '@nxmesh/model/upstream'
import { ConfigUpdateSchema, OptionsSchema, type StreamHostSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { optionSamples } from '@nxmesh/testkit/options'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { configOf } from '../src/link/convert.ts'
import { toWire } from './wire.ts'

const text = fc.string({ minLength: 1, unit: 'grapheme' }).filter((value) => Buffer.from(value).toString() === value)
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const directives = fc.dictionary(
  fc.stringMatching(/^[a-z][a-z_]{0,10}$/).filter((name) => name !== '__proto__'),
  text,
)
const extra = optional(fc.array(text, { minLength: 1, maxLength: 3 }))
const count = fc.nat(65_535)

function present<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T
}

const optionsAt = (place: keyof typeof optionSamples) =>
  Object.fromEntries(Object.entries(optionSamples[place]).map(([name, samples]) => [name, optional(fc.constantFrom<unknown>(...samples))]))

const header = fc
  .record({ name: text, value: fc.string(), always: fc.boolean(), direction: optional(fc.constantFrom('request', 'response')) })
  .map(present)
const rule = fc
  .record({ pattern: text, replacement: text, flag: optional(fc.constantFrom('last', 'break', 'redirect', 'permanent')) })
  .map(present)
const location = fc
  .record({
    path: text,
    proxy_pass: optional(text),
    upstream_id: optional(fc.uuid()),
    root: optional(text),
    index: optional(text),
    custom_headers: fc.array(header, { maxLength: 3 }),
    rewrite_rules: fc.array(rule, { maxLength: 3 }),
    custom_directives: directives,
    ...optionsAt('location'),
    extra_directives: extra,
  })
  .map(present)
const policy = fc.constantFrom('modern', 'intermediate', 'old')
const hsts = fc.record({ max_age: count, include_subdomains: fc.boolean(), preload: fc.boolean() })
const tls = fc
  .record({ policy: optional(policy), redirect_http: fc.boolean(), ocsp_stapling: fc.boolean(), hsts: optional(hsts) })
  .map(present)
const host = fc
  .record({
    id: fc.uuid(),
    name: text,
    server_name: text,
    listen_port: count,
    accept_proxy_protocol: optional(fc.record({ trusted: fc.array(text, { maxLength: 2 }) })),
    listen_addresses: optional(fc.array(text, { minLength: 1, maxLength: 3 })),
    ssl_enabled: fc.boolean(),
    ssl_certificate_id: fc.option(fc.uuid()),
    http2_enabled: fc.boolean(),
    http3_enabled: fc.boolean(),
    locations: fc.array(location, { maxLength: 3 }),
    custom_directives: directives,
    extra_directives: extra,
    tls: optional(tls),
    ...optionsAt('server'),
  })
  .map(present)
const streamHost = fc
  .record({
    id: fc.uuid(),
    name: text,
    protocol: fc.constantFrom('tcp', 'udp'),
    listen_port: count,
    listen_addresses: optional(fc.array(text, { minLength: 1, maxLength: 3 })),
    upstream_id: optional(fc.uuid()),
    ssl_enabled: fc.boolean(),
    ssl_certificate_id: fc.option(fc.uuid()),
    tls_policy: optional(policy),
    ...optionsAt('stream'),
    custom_directives: directives,
    extra_directives: extra,
  })
  .map(present)
const upstream = fc.record({
  id: fc.uuid(),
  name: text,
  algorithm: fc.constantFrom(...algorithms),
  servers: fc.array(
    fc.record({ address: text, weight: count, backup: fc.boolean(), down: fc.boolean(), max_fails: count, fail_timeout: count }),
    { maxLength: 3 },
  ),
  health_check: fc.option(
    fc.record({ enabled: fc.boolean(), path: text, interval: count, timeout: count, healthy_threshold: count, unhealthy_threshold: count }),
  ),
  keepalive_connections: count,
})
const certificate = fc.record({ id: fc.uuid(), domain: text, certificate_pem: text, private_key_pem: text, expires_at: fc.nat() })

test('a config comes off the wire as it went on, to the byte of its digest', () => {
  const config = fc.record({
    virtual_hosts: fc.array(host, { maxLength: 3 }),
    stream_hosts: optional(fc.array(streamHost, { minLength: 1, maxLength: 3 })),
    upstreams: fc.array(upstream, { maxLength: 3 }),
    certificates: fc.dictionary(fc.uuid(), certificate, { maxKeys: 2 }),
    acme_thumbprints: optional(fc.dictionary(text, text, { minKeys: 1, maxKeys: 2 })),
    settings: fc.record({
      nginx_directives: directives,
      env_vars: directives,
      tls_policy: optional(policy),
      http_port: optional(fc.integer({ min: 1, max: 65_535 })),
      ...optionsAt('settings'),
      stream_directives: extra,
      mail_directives: extra,
    }),
  })
  fc.assert(
    fc.property(config, (generated) => {
      const given = JSON.parse(JSON.stringify(generated)) as AgentConfig
      const bytes = toBinary(ConfigUpdateSchema, toWire({ config_id: 'c', version: 1, digest: 'd', config: given }))
      const received = configOf(fromBinary(ConfigUpdateSchema, bytes))
      expect(received).toEqual(given)
      expect(digestOf(received)).toBe(digestOf(given))
    }),
    { numRuns: 300 },
  )
})

test.each<MessageInitShape<typeof StreamHostSchema>>([{ protocol: 'sctp' }, { protocol: 'tcp', access: { rules: [{ action: 'ask' }] } }])(
  'a stream host that it does not understand is refused: %j',
  (streamHost) => {
    const update = create(ConfigUpdateSchema, { streamHosts: [streamHost] })
    expect(() => configOf(update)).toThrow('not known to this agent')
  },
)

describe('options', () => {
  const received = (options: MessageInitShape<typeof OptionsSchema>, unknown?: 'outer' | 'inner') => {
    const message = create(OptionsSchema, options)
    // Field 999 as a number, as a later release might send it.
    const later = [{ no: 999, wireType: WireType.Varint, data: Uint8Array.of(1) }]
    if (unknown === 'outer') message.$unknown = later
    if (unknown === 'inner') message.access!.rules[0]!.$unknown = later
    const update = create(ConfigUpdateSchema, { virtualHosts: [{ options: message }] })
    return () => configOf(fromBinary(ConfigUpdateSchema, toBinary(ConfigUpdateSchema, update)))
  }
  const rules = [{ action: 'deny', address: 'all' }]

  test('one that this release knows is taken', () => {
    expect(received({ access: { rules } })().virtual_hosts[0]).toMatchObject({ access: { rules } })
  })

  test.each(['outer', 'inner'] as const)('a field that it does not know is refused, %s', (where) => {
    expect(received({ access: { rules } }, where)).toThrow('not known to this agent')
  })

  test.each<MessageInitShape<typeof OptionsSchema>>([
    { access: { rules: [{ action: 'ask', address: 'all' }] } },
    { access: { rules: [{ action: 'deny', address: 'all; allow all' }] } },
    { limitReq: { rate: '1r/s; } server { listen 1;' } },
    { realIp: { trusted: ['10.0.0.0/8'], header: 'X; include /etc/passwd' } },
  ])('a value that no master should send is refused: %j', (options) => {
    expect(received(options)).toThrow('not known to this agent')
  })
})
