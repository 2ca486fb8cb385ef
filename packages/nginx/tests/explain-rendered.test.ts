import { describe, expect, test } from 'vitest'
import { explainOutput } from '../src/explain-output.ts'
import { certificate } from './support/certificate.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { testRendered } from './support/real-nginx.ts'

type HostDraft = NonNullable<ConfigDraft['virtual_hosts']>[number]

const host = (draft: Partial<HostDraft>): HostDraft => ({ server_name: 'a.test', listen_port: 18480, ...draft })
const inLocation = (draft: Partial<NonNullable<HostDraft['locations']>[number]>): ConfigDraft => ({
  virtual_hosts: [host({ locations: [{ path: '/', ...draft }] })],
})
const directive = (name: string, value: string) => inLocation({ custom_directives: { [name]: value } })
const passing = { proxy_pass: 'http://127.0.0.1:1' }

/** A mistake, what nginx's complaint of it comes to, and where. */
const mistakes: [code: string, place: string, draft: ConfigDraft][] = [
  ['invalid_value', 'locations.0.custom_directives.client_max_body_size', directive('client_max_body_size', '10mb')],
  ['unknown_directive', 'locations.0.custom_directives.no_such_thing', directive('no_such_thing', 'on')],
  ['unknown_variable', 'locations.0.custom_directives.return', directive('return', '200 $no_such_variable')],
  ['unknown_zone', 'locations.0.custom_directives.limit_req', directive('limit_req', 'zone=no_such_zone')],
  [
    'buffer_sizes',
    'locations.0.custom_directives.proxy_buffer_size',
    inLocation({ ...passing, custom_directives: { proxy_buffer_size: '64k' } }),
  ],
  ['host_not_found', 'locations.0.proxy_pass', inLocation({ proxy_pass: 'http://no-such.invalid' })],
  [
    'upstream_with_port',
    'locations.0.proxy_pass',
    { ...inLocation({ proxy_pass: 'http://nxmesh_upstream-1_000000000001:81' }), upstreams: [{ servers: [{ address: '127.0.0.1' }] }] },
  ],
  ['invalid_regex', 'locations.0.path', inLocation({ path: '~ ^/a{3,1}' })],
  ['invalid_regex', 'locations.0.rewrite_rules.0', inLocation({ rewrite_rules: [{ pattern: '^/a{3,1}', replacement: '/b' }] })],
  ['host_not_found', 'servers.1', { upstreams: [{ servers: [{ address: '127.0.0.1' }, { address: 'no-such.invalid' }] }] }],
  ['conflicting_server_name', 'server_name', { virtual_hosts: [host({ server_name: '.a.test' }), host({})] }],
  ['out_of_range', 'nginx_directives.gzip_comp_level', { settings: { nginx_directives: { gzip_comp_level: '12' } } }],
  [
    'hash_too_small',
    'nginx_directives.server_names_hash_bucket_size',
    {
      virtual_hosts: [host({ server_name: `${'x'.repeat(60)}.test` }), host({})],
      settings: { nginx_directives: { server_names_hash_bucket_size: '32' } },
    },
  ],
  ['connection_limit', 'nginx_directives.worker_connections', { settings: { nginx_directives: { worker_connections: '9000000' } } }],
  [
    'no_cipher',
    'custom_directives.ssl_ciphers',
    {
      virtual_hosts: [
        host({ ssl_enabled: true, ssl_certificate_id: id(3, 1), custom_directives: { ssl_ciphers: 'TLS_AES_128_GCM_SHA256' } }),
      ],
      certificates: { [id(3, 1)]: { id: id(3, 1), domain: 'a.test', expires_at: 0, ...certificate } },
    },
  ],
  [
    'invalid_certificate',
    'ssl_certificate_id',
    {
      virtual_hosts: [host({ ssl_enabled: true, ssl_certificate_id: id(3, 1) })],
      certificates: { [id(3, 1)]: { id: id(3, 1), domain: 'a.test', expires_at: 0, ...certificate, certificate_pem: 'no certificate' } },
    },
  ],
]

describe.each(binaries)('nginx $facts.version', (binary) => {
  test.each(mistakes)('%s at %s', (code, field, draft) => {
    const { output, rendered } = testRendered(binary, configOf(draft))
    const found = explainOutput(output, rendered)
    expect(found.map((each) => `${each.code} ${each.field}`)).toContain(`${code} ${field}`)
    const [own] = found.filter((each) => each.code === code)
    expect([own?.cause, own?.fix]).toEqual([expect.any(String), expect.any(String)])
  })
})
