import { describe, expect, test } from 'vitest'
import { location } from './location.ts'
import { network } from './options/network.ts'
import { settings } from './settings.ts'
import { virtualHostInput } from './virtual-host.ts'

const schemas = {
  server: virtualHostInput.partial({ name: true, server_name: true, listen_port: true }),
  location: location.partial({ path: true }),
  settings,
}

/** The fields that are refused, as dotted paths. */
function refused(place: keyof typeof schemas, input: unknown): string[] {
  const result = schemas[place].safeParse(input)
  return result.success ? [] : result.error.issues.map((issue) => [...issue.path, ...('keys' in issue ? issue.keys : [])].join('.'))
}

test('options are absent unless asked for', () => {
  expect(Object.keys(schemas.location.parse({})).toSorted()).toEqual(['custom_directives', 'custom_headers', 'rewrite_rules'])
  expect(schemas.settings.parse({})).toEqual({ nginx_directives: {}, env_vars: {} })
})

describe('an error names the field', () => {
  test.each([
    ['server', { client: { max_body_size: '10mb' } }, 'client.max_body_size'],
    ['server', { client: { max_body_size: '1.5m' } }, 'client.max_body_size'],
    ['server', { client: { max_body_size: '-1' } }, 'client.max_body_size'],
    ['server', { client: { body_timeout: 0.5 } }, 'client.body_timeout'],
    ['server', { client: { body_timeout: '30s' } }, 'client.body_timeout'],
    ['location', { client: { header_timeout: 5 } }, 'client.header_timeout'],
    ['location', { proxy: { connect_timeout: 0 } }, 'proxy.connect_timeout'],
    ['location', { proxy: { buffers: { size: '4' } } }, 'proxy.buffers.size'],
    ['settings', { proxy: { buffers: { size: '4k', number: 3 } } }, 'proxy.buffers.number'],
    ['settings', { proxy: { timeout: 5 } }, 'proxy.timeout'],
    ['location', { gzip: { types: ['text/css', 'text css'] } }, 'gzip.types.1'],
    ['location', { gzip: { level: 10 } }, 'gzip.level'],
    ['location', { brotli: { level: 12 } }, 'brotli.level'],
    ['server', { real_ip: { trusted: [] } }, 'real_ip.trusted'],
    ['server', { real_ip: { trusted: ['10.0.0.0/8'], header: 'X Real' } }, 'real_ip.header'],
    ['server', { access: { rules: [] } }, 'access.rules'],
    ['server', { access: { rules: [{ action: 'allow', address: '10.0.0.0/8' }] } }, 'access.rules'],
    ['server', { access: { rules: [{ action: 'deny', address: '10.0.0.1/8' }] } }, 'access.rules.0.address'],
    [
      'server',
      {
        access: {
          rules: [
            { action: 'deny', address: 'all' },
            { action: 'deny', address: '::1' },
          ],
        },
      },
      'access.rules.1',
    ],
    ['server', { access: { rules: [{ action: 'forbid', address: 'all' }] } }, 'access.rules.0.action'],
    ['settings', { access: { rules: [{ action: 'deny', address: 'all' }] } }, 'access'],
    ['server', { limit_req: { rate: '0.5r/s' } }, 'limit_req.rate'],
    ['server', { limit_req: { burst: 5 } }, 'limit_req.rate'],
    ['location', { limit_conn: { connections: 0 } }, 'limit_conn.connections'],
    ['server', { redirect: { to: 'new.test' } }, 'redirect.to'],
    ['server', { redirect: { to: 'https://new.test/$uri' } }, 'redirect.to'],
    ['server', { redirect: { to: 'https://new.test', status: 200 } }, 'redirect.status'],
    ['server', { redirect: { rules: [{ from: 'a', to: '/b' }] } }, 'redirect.rules.0.from'],
    ['server', { redirect: { rules: [{ from: '/a', to: '/b c' }] } }, 'redirect.rules.0.to'],
    ['server', { redirect: { rules: [{ from: '/a', to: '/$1' }] } }, 'redirect.rules.0.to'],
    ['server', { redirect: { rules: [{ from: '~ /(.)', to: '/$uri' }] } }, 'redirect.rules.0.to'],
    ['server', { redirect: { rules: [{ from: '/a', to: '/a' }] } }, 'redirect.rules.0.to'],
    ['server', { redirect: { rules: [{ from: '~ ^/a', to: '/b', status: 308 }] } }, 'redirect.rules.0.status'],
    ['server', { maintenance: { retry_after: 0 } }, 'maintenance.retry_after'],
    ['server', { maintenance: { allow: ['all'] } }, 'maintenance.allow.0'],
    ['location', { maintenance: {} }, 'maintenance'],
    ['location', { static: { fallback: 'index.html' } }, 'static.fallback'],
    ['location', { static: { fallback: '/$uri' } }, 'static.fallback'],
    ['location', { static: { assets: ['.css'] } }, 'static.assets.0'],
    ['server', { proxy_cache: { valid: [{ status: 600, seconds: 1 }] } }, 'proxy_cache.valid.0.status'],
    ['server', { proxy_cache: { key: '$unknown' } }, 'proxy_cache.key'],
    ['server', { proxy_cache: { key: '$' } }, 'proxy_cache.key'],
    ['server', { proxy_cache: { bypass: ['$cookie_a', 'cookie_a'] } }, 'proxy_cache.bypass.1'],
    ['server', { proxy_cache: { use_stale: ['http_418'] } }, 'proxy_cache.use_stale.0'],
    ['settings', { proxy_cache: {} }, 'proxy_cache'],
    ['settings', { proxy_cache_path: { max_size: '1t' } }, 'proxy_cache_path.max_size'],
    ['location', { grpc_pass: 'http://a' }, 'grpc_pass'],
    ['location', { grpc_pass: 'grpc://a:0' }, 'grpc_pass'],
    ['location', { grpc_pass: 'grpc://a/b' }, 'grpc_pass'],
    ['location', { upstream_protocol: 'https' }, 'upstream_protocol'],
    ['server', { auth_basic: { realm: 'a "b"' } }, 'auth_basic.realm'],
    ['server', { auth_basic: { realm: 'off' } }, 'auth_basic.realm'],
    ['server', { auth_basic: { users: [{ name: 'a:b' }] } }, 'auth_basic.users.0.name'],
    ['server', { auth_basic: { users: [{ name: '#a' }] } }, 'auth_basic.users.0.name'],
    ['server', { auth_basic: { users: [{ name: 'a' }, { name: 'a' }] } }, 'auth_basic.users.1.name'],
    ['server', { auth_basic: { users: [{ name: 'a', password: '' }] } }, 'auth_basic.users.0.password'],
    ['server', { auth_basic: { users: [{ name: 'a', password_hash: 'secret' }] } }, 'auth_basic.users.0.password_hash'],
    ['server', { auth_basic: { users: [{ name: 'a', password_hash: '{PLAIN}secret' }] } }, 'auth_basic.users.0.password_hash'],
    [
      'server',
      { auth_basic: { users: [{ name: 'a', password_hash: `$6$rounds=999999999$a$${'a'.repeat(86)}` }] } },
      'auth_basic.users.0.password_hash',
    ],
    ['location', { real_ip: { trusted: ['10.0.0.0/8'] } }, 'real_ip'],
  ] as const)('%s %j', (place, input, field) => {
    expect(refused(place, input)).toEqual([field])
  })
})

describe('networks', () => {
  test.each([
    '10.0.0.1',
    '10.0.0.0/8',
    '0.0.0.0/0',
    '255.255.255.255/32',
    '::1',
    '2001:db8::/32',
    '::/0',
    '::ffff:10.0.0.0/104',
    'fe80::1/128',
  ])('takes %s', (text) => {
    expect(network.safeParse(text).success).toBe(true)
  })

  test.each([
    '10.0.0.1/8',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0/8',
    '10.0.0.0/8/8',
    '2001:db8::1/32',
    '2001:db8::/129',
    'all',
    'localhost',
    '',
    '10.0.0.0/08',
  ])('refuses %j', (text) => {
    expect(network.safeParse(text).success).toBe(false)
  })
})
