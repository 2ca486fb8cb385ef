import { describe, expect, test } from 'vitest'
import { type ConfigDraft, configOf, id } from '../tests/support/config.ts'
import { checkSettings } from './check.ts'
import { checkStreamHost, portProblems } from './check-stream.ts'

type HostDraft = Partial<NonNullable<ConfigDraft['stream_hosts']>[number]>

const upstream_id = id(2, 1)
const answered: HostDraft = { extra_directives: ['return x'] }

function check(draft: HostDraft, servers = ['10.0.0.1:5432']): string[] {
  const config = configOf({
    stream_hosts: [{ listen_port: 1, ...draft }],
    upstreams: [{ servers: servers.map((address) => ({ address })) }],
  })
  return checkStreamHost(config.stream_hosts![0]!, config.upstreams[0]).map(({ field, code }) => `${field} ${code}`)
}

test('a stream host goes one way: to an upstream, or where a directive says', () => {
  expect(check({ upstream_id })).toEqual([])
  expect(check(answered)).toEqual([])
  expect(check({})).toEqual(['upstream_id REQUIRED'])
  expect(check({ upstream_id, ...answered })).toEqual(['extra_directives.0 CONFLICT'])
  expect(check({ upstream_id, custom_directives: { proxy_pass: '10.0.0.1:1' } })).toEqual(['custom_directives.proxy_pass CONFLICT'])
})

test.each([
  [['10.0.0.1:1', '[::1]:1', 'db.test:1', 'unix:/run/x'], []],
  [['10.0.0.1'], ['servers.0.address INVALID_VALUE']],
  [
    ['10.0.0.1:1', '[::1]', 'db.test'],
    ['servers.1.address INVALID_VALUE', 'servers.2.address INVALID_VALUE'],
  ],
])('hazard 103: servers %j need ports', (addresses, problems) => {
  const { servers } = configOf({ upstreams: [{ servers: addresses.map((address) => ({ address })) }] }).upstreams[0]!
  expect(portProblems({ servers }).map(({ field, code }) => `${field} ${code}`)).toEqual(problems)
  expect(check({ upstream_id }, addresses)).toEqual(problems.map(() => 'upstream_id INVALID_VALUE'))
})

test.each<[HostDraft, string[]]>([
  [{ protocol: 'udp', proxy: { requests: 1, responses: 0 } }, []],
  [{ proxy: { requests: 1, responses: 0 } }, ['proxy.requests NOT_ALLOWED', 'proxy.responses NOT_ALLOWED']],
  [{ protocol: 'udp', proxy: { ssl: true } }, ['proxy.ssl NOT_ALLOWED']],
  [{ protocol: 'udp', proxy: { send_proxy_protocol: true } }, ['proxy.send_proxy_protocol NOT_ALLOWED']],
  [{ protocol: 'udp', accept_proxy_protocol: {} }, ['accept_proxy_protocol NOT_ALLOWED']],
  [{ protocol: 'udp', ssl_enabled: true }, ['ssl_enabled NOT_ALLOWED']],
  [{ tls_policy: 'modern' }, ['tls_policy NOT_ALLOWED']],
  [{ proxy: { ssl_name: 'a.test' } }, ['proxy.ssl_name NOT_ALLOWED']],
  [{ proxy: { timeout: 5 }, custom_directives: { proxy_timeout: '6s' } }, ['custom_directives.proxy_timeout CONFLICT']],
  [{ access: { rules: [{ action: 'deny', address: 'all' }] }, extra_directives: ['deny 10.0.0.1'] }, ['extra_directives.0 CONFLICT']],
])('%j', (draft, problems) => {
  expect(check({ upstream_id, ...draft })).toEqual(problems)
})

describe('directives of a stream host', () => {
  test.each([
    'proxy_pass $to',
    'proxy_pass 10.0.0.1:1',
    'proxy_pass [::1]:1',
    'proxy_pass unix:/run/x.sock',
    'proxy_pass a_block',
    'pass 10.0.0.1:1',
    'return "a; } b"',
    String.raw`return "$remote_addr\n"`,
  ])('hazard 102: %s leads somewhere', (text) => expect(check({ extra_directives: [text] })).toEqual([]))

  test.each([
    ['proxy_pass db.test:5432', 'INVALID_VALUE'],
    ['proxy_pass 10.0.0.1', 'INVALID_VALUE'],
    ['pass db.test:5432', 'INVALID_VALUE'],
    ['pass 8000', 'INVALID_VALUE'],
    ['return a; return b', 'INVALID_FORMAT'],
    ['return a; } server { listen 1; return b', 'INVALID_FORMAT'],
    ['add_header A b', 'NOT_ALLOWED'],
    ['map $a $b { c d; }', 'NOT_ALLOWED'],
    ['upstream u { server 10.0.0.1:1; }', 'NOT_ALLOWED'],
    ['listen 2', 'NOT_ALLOWED'],
    ['server_name a', 'NOT_ALLOWED'],
    ['include /etc/passwd', 'NOT_ALLOWED'],
    ['js_preread x', 'NOT_ALLOWED'],
    ['access_log /x', 'NOT_ALLOWED'],
    ['ssl_certificate /x', 'NOT_ALLOWED'],
    ['ssl_session_cache shared:a:1m', 'NOT_ALLOWED'],
    ['server { listen 1; }', 'NOT_ALLOWED'],
  ])('hazard 102: %s is refused', (text, code) => {
    expect(check({ extra_directives: ['return x', text] })).toEqual([`extra_directives.1 ${code}`])
  })

  test('what HTTP has a field for is not sent there', () => {
    const [listen] = checkStreamHost(
      configOf({ stream_hosts: [{ listen_port: 1, upstream_id, extra_directives: ['listen 2'] }] }).stream_hosts![0]!,
      undefined,
    )
    expect(listen?.message).toBe('"listen" cannot be set here: use the fields protocol, listen_port and listen_addresses')
  })
})

test.each([
  ['map $ssl_preread_server_name $to { default a; b.test b; }', []],
  ['geo $who { default 0; 10.0.0.0/8 1; }', []],
  ['split_clients $remote_addr $to { 50% a; * b; }', []],
  ['upstream a { hash $remote_addr consistent; server 10.0.0.1:1; }', []],
  ['limit_conn_zone $binary_remote_addr zone=z:1m', []],
  ['log_format own "$remote_addr"', []],
  ['resolver 10.0.0.2', []],
  ['proxy_timeout 5s', []],
  ['proxy_pass 10.0.0.1:1', ['NOT_ALLOWED']],
  ['server { listen 1; return x; }', ['NOT_ALLOWED']],
  ['upstream nxmesh_a { server 10.0.0.1:1; }', ['NOT_ALLOWED']],
  ['map $a $b { include /etc/passwd; }', ['NOT_ALLOWED']],
  ['map $a $b { c d; c e; }', ['DUPLICATE']],
  ['gzip on', ['NOT_ALLOWED']],
  ['resolver 10.0.0.2; resolver 10.0.0.3', ['INVALID_FORMAT']],
])('stream_directives %s', (text, codes) => {
  const { settings } = configOf({ settings: { stream_directives: [text] } })
  expect(checkSettings(settings)).toMatchObject(codes.map((code) => ({ field: 'stream_directives.0', code })))
  expect(checkSettings(settings)).toHaveLength(codes.length)
})
