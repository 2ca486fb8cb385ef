import type { AgentConfig, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { expect, test } from 'vitest'
import { answeredNames } from './answered-names.ts'

function host(changes: Partial<ConfigVirtualHost>): ConfigVirtualHost {
  const id = '00000000-0000-7000-8001-000000000001'
  const plain = { ssl_enabled: false, ssl_certificate_id: null, http2_enabled: false, http3_enabled: false }
  return { id, name: 'host', server_name: 'a.test', listen_port: 80, ...plain, locations: [], custom_directives: {}, ...changes }
}

const tls = (changes: Partial<ConfigVirtualHost>) => host({ listen_port: 443, ssl_enabled: true, ...changes })
const redirecting = { tls: { redirect_http: true, ocsp_stapling: false } }

test.each([
  ['one on all addresses', [host({})], ['*']],
  ['one of another name on all addresses', [host({ server_name: 'b.test' })], ['*']],
  ['one on a single address', [host({ listen_addresses: ['192.0.2.5'] })], ['192.0.2.5']],
  ['one on a single address in another spelling', [host({ listen_addresses: ['2001:DB8:0::5'] })], ['2001:db8::5']],
  ['one on another port', [host({ listen_port: 8080 })], []],
  ['one with TLS', [tls({})], ['*']],
  ['one with TLS of another name', [tls({ server_name: 'b.test' })], []],
  ['one with TLS on a single address', [tls({ listen_addresses: ['192.0.2.5'] })], ['192.0.2.5']],
  [
    'a redirect of another name on all addresses',
    [host({ listen_addresses: ['192.0.2.5'] }), tls({ server_name: 'b.test', ...redirecting })],
    ['192.0.2.5', '*'],
  ],
  ['both of the name', [host({ listen_addresses: ['192.0.2.5'] }), tls({ listen_addresses: ['192.0.2.6'] })], ['192.0.2.5', '192.0.2.6']],
])('%s', (_, virtual_hosts, addresses) => {
  const config: AgentConfig = { virtual_hosts, upstreams: [], certificates: {}, settings: { nginx_directives: {}, env_vars: {} } }
  expect(answeredNames(config).addressesFor('a.test')).toEqual(addresses)
})
