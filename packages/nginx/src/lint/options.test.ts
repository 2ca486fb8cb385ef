import { expect, test } from 'vitest'
import { codes, host, type LintDraft, lintOf } from '../../tests/support/lint.ts'

const bare = { server_name: 'a.test', listen_port: 80 }
const locations = [{ path: '/', proxy_pass: 'http://10.0.0.1' }]
const timeouts = { connect_timeout: 3, read_timeout: 30 }

test('timeouts are found wherever an option sets them', () => {
  expect(codes({ virtual_hosts: [{ ...bare, locations }] })).toEqual(['missing_timeouts locations.0.proxy_pass'])
  const everywhere: LintDraft[] = [
    { virtual_hosts: [{ ...bare, locations }], settings: { proxy: timeouts } },
    { virtual_hosts: [{ ...bare, proxy: timeouts, locations }] },
    { virtual_hosts: [{ ...bare, locations: [{ ...locations[0]!, proxy: timeouts }] }] },
    { virtual_hosts: [{ ...bare, locations: [{ path: '/', grpc_pass: 'grpc://10.0.0.1', proxy: timeouts }] }] },
  ]
  for (const draft of everywhere) expect(codes(draft)).toEqual([])
})

test('what gRPC lacks is named by its own directives', () => {
  const [found] = lintOf({ virtual_hosts: [{ ...bare, locations: [{ path: '/', grpc_pass: 'grpc://10.0.0.1' }] }] })
  expect([found!.field, found!.fix]).toEqual([
    'locations.0.grpc_pass',
    expect.stringContaining('grpc_connect_timeout and grpc_read_timeout'),
  ])
})

test('passwords of an option are asked for over plain HTTP', () => {
  const users = [{ name: 'ann', password_hash: '$apr1$abcdefgh$0b8Kx5JkLlO8bYQnJm5dE1' }]
  const [found] = lintOf({ virtual_hosts: [host({ auth_basic: { enabled: true, realm: 'Staff', users } })] })
  expect([found!.code, found!.field, found!.reason]).toEqual([
    'plain_http_password',
    expect.stringMatching(/^auth_basic/),
    expect.stringContaining('"Staff"'),
  ])
})

test('rules by address behind the PROXY protocol need a proxy that is trusted', () => {
  const access = { rules: [{ action: 'deny' as const, address: '10.0.0.0/8' }] }
  const proxied = { ...bare, accept_proxy_protocol: { trusted: [] } }
  const finding = 'proxy_address access.rules.0'
  expect(codes({ virtual_hosts: [{ ...proxied, access }] })).toEqual([finding])
  expect(codes({ virtual_hosts: [{ ...proxied, limit_conn: { connections: 4 } }] })).toEqual(['proxy_address limit_conn.connections'])
  const fine: LintDraft[] = [
    { virtual_hosts: [proxied] },
    { virtual_hosts: [{ ...bare, access, accept_proxy_protocol: { trusted: ['10.0.0.1'] } }] },
    { virtual_hosts: [{ ...proxied, access, extra_directives: ['set_real_ip_from 10.0.0.1', 'real_ip_header proxy_protocol'] }] },
    { virtual_hosts: [{ ...proxied, access }], settings: { real_ip: { trusted: ['10.0.0.1'], header: 'X-Real-IP', recursive: false } } },
  ]
  for (const draft of fine) expect(codes(draft)).toEqual([])
})

test('a redirect of an option answers for its own location, not for the virtual host', () => {
  const redirect = { rules: [{ from: '/a', to: '/b' }] }
  const deny = { rules: [{ action: 'deny' as const, address: '10.0.0.0/8' }] }
  expect(codes({ virtual_hosts: [host({ redirect, access: deny, locations: [{ path: '/', root: '/srv' }] })] })).toEqual([])
})

test('an option that an address is refused by stands in for the directive', () => {
  const rules = [{ action: 'deny' as const, address: 'all' as const }]
  const draft = host({ access: { rules }, locations: [{ path: '/', root: '/srv', custom_directives: { allow: '10.0.0.1' } }] })
  expect(codes({ virtual_hosts: [draft] })).toEqual([
    'allow_without_deny locations.0.custom_directives.allow',
    'dropped_inheritance locations.0.custom_directives.allow',
  ])
})
