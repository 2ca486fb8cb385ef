import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { digestOf } from '@nxmesh/model/digest'
import { customDirectives, header, location, rewriteRule } from '@nxmesh/model/location'
import { settings } from '@nxmesh/model/settings'
import { streamHostInput } from '@nxmesh/model/stream-host'
import { tlsPolicies } from '@nxmesh/model/tls'
import { algorithms, healthCheck, upstreamInput, upstreamServer } from '@nxmesh/model/upstream'
import { virtualHostInput } from '@nxmesh/model/virtual-host'
import { ConfigUpdateSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { optionSamples } from '@nxmesh/testkit/options'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { fromConfigUpdate, toConfigUpdate } from './convert.ts'

// Each value goes through the model's own schema, so that whatever is generated here is a value that the model allows.
function allowed<S extends z.ZodType>(schema: S, raw: fc.Arbitrary<unknown>): fc.Arbitrary<z.infer<S>> {
  return raw.filter((value) => schema.safeParse(value).success).map((value) => schema.parse(value))
}

const optional = { requiredKeys: [] as never[] }
const words = <T = string>(...values: T[]) => fc.constantFrom(...values)
const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 12 }), words('$uri', 'a b', '"', "'", '\\', '{', ';', '#', 'é', '😀'))
const directives = allowed(
  customDirectives,
  fc.dictionary(words('client_max_body_size', 'gzip', 'proxy_read_timeout', 'constructor'), text, { maxKeys: 4 }),
)
const extra = fc.array(words('allow 10.0.0.0/8', 'if ($a) { return 403; }', 'x "é";'), { minLength: 1, maxLength: 3 })
const oneHeader = allowed(
  header,
  fc.record(
    { name: words('X-A', 'Host', 'Set-Cookie'), value: text, always: fc.boolean(), direction: words('request', 'response') },
    { requiredKeys: ['name', 'value'] },
  ),
)
const oneRule = allowed(
  rewriteRule,
  fc.record(
    { pattern: text, replacement: text, flag: words('last', 'break', 'redirect', 'permanent') },
    { requiredKeys: ['pattern', 'replacement'] },
  ),
)
const optionsAt = (place: keyof typeof optionSamples) =>
  Object.fromEntries(Object.entries(optionSamples[place]).map(([name, samples]) => [name, words<unknown>(...samples)]))
const oneLocation = allowed(
  location,
  fc.record(
    {
      path: words('/', '/a b', '= /x', '~ \\.php$', '~* ^/é', '^~ /s', '@fallback'),
      proxy_pass: words('http://a', 'https://b.test:8443/x', 'http://unix:/run/a.sock', 'http://$host'),
      upstream_id: fc.uuid(),
      root: words('/var/www', '/srv/a b'),
      index: words('index.html', 'index.php index.html'),
      custom_headers: fc.array(oneHeader, { maxLength: 3 }),
      rewrite_rules: fc.array(oneRule, { maxLength: 3 }),
      custom_directives: directives,
      ...optionsAt('location'),
      extra_directives: extra,
    },
    { requiredKeys: ['path'] },
  ),
)
const hostInput = allowed(
  virtualHostInput.omit({ target_agents: true }),
  fc.record(
    {
      name: text,
      server_name: words('a.test', '*.b.test _', '~^x(?<y>.+)$', 'münchen.test'),
      listen_port: fc.integer({ min: 1, max: 65_535 }),
      accept_proxy_protocol: fc.record({ trusted: fc.array(words('10.0.0.0/8', '::1'), { maxLength: 2 }) }),
      listen_addresses: fc.uniqueArray(fc.oneof(fc.ipV4(), words('2001:db8::1', '::1')), { minLength: 1, maxLength: 3 }),
      ssl_enabled: fc.boolean(),
      ssl_certificate_id: fc.option(fc.uuid()),
      http2_enabled: fc.boolean(),
      http3_enabled: fc.boolean(),
      locations: fc.array(oneLocation, { maxLength: 3 }),
      custom_directives: directives,
      extra_directives: extra,
      tls: fc.record(
        {
          policy: words(...tlsPolicies),
          redirect_http: fc.boolean(),
          ocsp_stapling: fc.boolean(),
          hsts: fc.record(
            { max_age: fc.integer({ min: 0, max: 63_072_000 }), include_subdomains: fc.boolean(), preload: fc.boolean() },
            optional,
          ),
        },
        optional,
      ),
      ...optionsAt('server'),
    },
    { requiredKeys: ['name', 'server_name', 'listen_port'] },
  ),
)
const server = allowed(
  upstreamServer,
  fc.record(
    {
      address: words('10.0.0.1:80', '[::1]:8080', 'unix:/run/x.sock', 'backend'),
      weight: fc.integer({ min: 1, max: 65_535 }),
      backup: fc.boolean(),
      down: fc.boolean(),
      max_fails: fc.integer({ min: 0, max: 1_000_000 }),
      fail_timeout: fc.integer({ min: 1, max: 86_400 }),
    },
    { requiredKeys: ['address'] },
  ),
)
const check = allowed(
  healthCheck,
  fc.record(
    {
      enabled: fc.boolean(),
      path: words('/', '/healthz?x=1'),
      interval: fc.integer({ min: 1, max: 86_400 }),
      timeout: fc.integer({ min: 1, max: 3600 }),
      healthy_threshold: fc.integer({ min: 1, max: 100 }),
      unhealthy_threshold: fc.integer({ min: 1, max: 100 }),
    },
    optional,
  ),
)
const upstream = allowed(
  upstreamInput,
  fc.record(
    {
      name: text,
      algorithm: words(...algorithms),
      servers: fc.array(server, { minLength: 1, maxLength: 4 }),
      health_check: fc.option(check),
      keepalive_connections: fc.integer({ min: 0, max: 65_535 }),
    },
    { requiredKeys: ['name', 'servers'] },
  ),
)
const streamInput = allowed(
  streamHostInput.omit({ target_agents: true }),
  fc.record(
    {
      name: text,
      protocol: words('tcp', 'udp'),
      listen_port: fc.integer({ min: 1, max: 65_535 }),
      listen_addresses: fc.uniqueArray(fc.oneof(fc.ipV4(), words('2001:db8::1', '::1')), { minLength: 1, maxLength: 3 }),
      upstream_id: fc.uuid(),
      ssl_enabled: fc.boolean(),
      ssl_certificate_id: fc.option(fc.uuid()),
      tls_policy: words(...tlsPolicies),
      ...optionsAt('stream'),
      custom_directives: directives,
      extra_directives: extra,
    },
    { requiredKeys: ['name', 'listen_port'] },
  ),
)
const certificate = fc.record({
  id: fc.uuid(),
  domain: words('a.test', '*.b.test'),
  certificate_pem: text,
  private_key_pem: text,
  expires_at: fc.integer({ min: 0, max: 4_102_444_800 }),
})
const thumbprints = fc.dictionary(words('a.test', 'b.test'), words('P9cXd3BNRFbQTsm7kJKOzT2BJGrXLhPHXMxQnVXr0ZQ'), {
  minKeys: 1,
  noNullPrototype: true,
})
const config: fc.Arbitrary<AgentConfig> = fc
  .tuple(
    fc.record({
      virtual_hosts: fc.array(
        fc.tuple(fc.uuid(), hostInput).map(([id, rest]) => ({ id, ...rest })),
        { maxLength: 3 },
      ),
      stream_hosts: fc.array(
        fc.tuple(fc.uuid(), streamInput).map(([id, rest]) => ({ id, ...rest })),
        { maxLength: 3 },
      ),
      upstreams: fc.array(
        fc.tuple(fc.uuid(), upstream).map(([id, rest]) => ({ id, ...rest })),
        { maxLength: 3 },
      ),
      certificates: fc.dictionary(fc.uuid(), certificate, { maxKeys: 2, noNullPrototype: true }),
      settings: allowed(
        settings,
        fc.record(
          {
            nginx_directives: directives,
            extra_directives: extra,
            stream_directives: extra,
            mail_directives: extra,
            env_vars: fc.dictionary(words('TZ', 'PATH', 'toString'), text, { noNullPrototype: true }),
            tls_policy: words(...tlsPolicies),
            http_port: fc.integer({ min: 1, max: 65_535 }),
            ...optionsAt('settings'),
          },
          optional,
        ),
      ),
    }),
    fc.option(thumbprints),
  )
  .map(([{ stream_hosts, ...rest }, acme_thumbprints]) => ({
    ...rest,
    ...(stream_hosts.length > 0 && { stream_hosts }),
    ...(acme_thumbprints !== null && { acme_thumbprints }),
  }))

test('a config comes back from the wire exactly as it was, with its digest', () => {
  fc.assert(
    fc.property(config, fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (wanted, version) => {
      const named = { configId: 'w:1', version, digest: digestOf(wanted), config: wanted }
      const bytes = toBinary(ConfigUpdateSchema, create(ConfigUpdateSchema, toConfigUpdate(named)))
      const back = fromConfigUpdate(fromBinary(ConfigUpdateSchema, bytes))
      expect(back).toEqual(named)
      expect(digestOf(back.config)).toBe(named.digest)
    }),
    { numRuns: 300 },
  )
})
