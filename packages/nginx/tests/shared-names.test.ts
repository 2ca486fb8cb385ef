import { describe, expect, test } from 'vitest'
import { isNginxOwn } from '../src/defined-names.ts'
import { explainOutput } from '../src/explain-output.ts'
import { foreignNames, lostNames } from '../src/shared-names.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { testHttp, testRendered } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const at = (name: string, host: Partial<Host>): Host => ({ server_name: name, listen_port: 18480, ...host })
const answer = (text: string) => [{ path: '/', custom_directives: { return: `200 ${text}` } }]

/** Each makes `$shared` known in every server of the same nginx. */
const definers: [string, Partial<Host>][] = [
  ['set', { custom_directives: { set: '$shared a' } }],
  ['set in an if', { locations: [{ path: '/', custom_directives: { if: '($host = a) { set $shared a; }' } }] }],
  ['a group in a name', { server_name: String.raw`~^(?<shared>\w+)\.test$` }],
  ['a group in a path', { locations: [{ path: '~ ^/(?<shared>.*)' }] }],
  ['a group in a rewrite', { locations: [{ path: '/', rewrite_rules: [{ pattern: '^/(?P<shared>.*)', replacement: '/x' }] }] }],
  ['a group in a condition', { custom_directives: { if: '($host ~ ^(?<shared>.*)) { return 404; }' } }],
]
const users: [field: string, host: Partial<Host>][] = [
  ['custom_directives.return', { custom_directives: { return: '200 $shared' } }],
  ['locations.0.proxy_pass', { locations: [{ path: '/', proxy_pass: 'http://127.0.0.1:1/$shared' }] }],
  ['locations.0.custom_headers.0.value', { locations: [{ path: '/', custom_headers: [{ name: 'X-A', value: 'a${shared}b' }] }] }],
  [
    'locations.0.rewrite_rules.0.replacement',
    { locations: [{ path: '/', rewrite_rules: [{ pattern: '^/a$', replacement: '/$shared' }] }] },
  ],
]

describe.each(binaries)('nginx $facts.version', (binary) => {
  const pairs = [...definers.map((definer) => [definer, users[0]!] as const), ...users.map((user) => [definers[0]!, user] as const)]
  test.each(pairs)('hazard 46: what one virtual host defines is known in another, which is refused at its field: %j %j', (by, of) => {
    const [[, definer], [field, user]] = [by, of]
    const both = configOf({ virtual_hosts: [at('a.test', definer), at('b.test', user)] })
    expect(testRendered(binary, both).output).toContain('test is successful')
    expect(foreignNames(both.virtual_hosts[1]!, both.virtual_hosts, both.settings)).toMatchObject([{ field, code: 'UNKNOWN_REFERENCE' }])
    const left = { ...both, virtual_hosts: both.virtual_hosts.slice(1) }
    expect(lostNames(both, left)).toEqual([{ name: '$shared', host: { id: id(1, 2), name: 'Host 2' }, field }])
    const { output, rendered } = testRendered(binary, left)
    expect(explainOutput(output, rendered)).toMatchObject([{ severity: 'error', message: 'unknown "shared" variable', id: id(1, 2) }])
  })

  test('hazard 46: a host that sets its own, or uses what the settings define, stands by itself', () => {
    const config = configOf({
      settings: { nginx_directives: { map: '$host $mapped { default a; ~^(?<inner>x) $inner; }' } },
      virtual_hosts: [
        at('a.test', { custom_directives: { set: '$shared a' } }),
        at('b.test', { custom_directives: { set: '$shared b' }, locations: answer('$shared$mapped$inner$host$args') }),
        at('c.test', { custom_directives: { set: '$args a' } }),
      ],
    })
    for (const host of config.virtual_hosts) {
      expect(foreignNames(host, config.virtual_hosts, config.settings)).toEqual([])
      expect(testRendered(binary, { ...config, virtual_hosts: [host] }).output).toContain('test is successful')
    }
  })

  test.each([
    ['map', '$host $mapped { default a; }', { return: '200 $mapped' }, '$mapped', 'unknown "mapped" variable'],
    ['limit_req_zone', '$host zone=mine:1m rate=1r/s', { limit_req: 'zone=mine burst=2' }, 'zone mine', 'zero size shared memory zone'],
    ['limit_conn_zone', '$host zone=mine:1m', { limit_conn: 'mine 2' }, 'zone mine', 'zero size shared memory zone'],
    ['proxy_cache_path', '/tmp/x keys_zone=mine:1m', { proxy_cache: 'mine' }, 'zone mine', '"proxy_cache" zone "mine" is unknown'],
  ])('hazard 46: %s of the settings is not taken from a virtual host that uses it', (name, value, custom_directives, lost, words) => {
    const config = configOf({ virtual_hosts: [at('a.test', { custom_directives })] })
    const before = { ...config, settings: { nginx_directives: { [name]: value }, env_vars: {} } }
    expect(lostNames(before, config)).toMatchObject([{ name: lost, field: expect.stringMatching(/^custom_directives\./) }])
    expect(lostNames(before, before)).toEqual([])
    const { output, rendered } = testRendered(binary, config)
    const [finding] = explainOutput(output, rendered)
    expect(finding).toMatchObject({ severity: 'error', id: id(1, 1), message: expect.stringContaining(words) })
  })

  test('hazard 46: a variable of nginx itself may be set by one and used by another', () => {
    const names = 'args limit_rate invalid_referer ancient_browser modern_browser msie uid_reset proxy_host proxy_port arg_a cookie_a'
    const more = 'http_a sent_http_a sent_trailer_a ssl_protocol ssl_client_s_dn upstream_cookie_a upstream_http_a upstream_trailer_a'
    for (const name of `${names} ${more}`.split(' ')) {
      expect(isNginxOwn(`$${name}`), name).toBe(true)
      const server = (text: string) => `server { listen 127.0.0.1:18480; server_name ${name.length}; ${text} }`
      expect(testHttp(binary, server(`return 200 "$${name}";`)).output, name).toContain('test is successful')
      expect(testHttp(binary, server(`set $${name} a;`)).output, name).toContain('test is successful')
    }
    expect(testHttp(binary, 'server { listen 127.0.0.1:18480; set $host a; }').output).toContain('the duplicate "host" variable')
  })
})
