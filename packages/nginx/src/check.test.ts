import { describe, expect, test } from 'vitest'
import { type ConfigDraft, configOf } from '../tests/support/config.ts'
import { checkSettings, checkUpstream, checkVirtualHost } from './check.ts'
import { checkTestContent } from './check-test-content.ts'

type HostDraft = NonNullable<ConfigDraft['virtual_hosts']>[number]

function checkHost(draft: Partial<HostDraft>): string[] {
  const host = configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port: 80, ...draft }] }).virtual_hosts[0]!
  return checkVirtualHost(host).map(({ field, code }) => `${field} ${code}`)
}

const checkDirective = (name: string, value: string) => checkHost({ locations: [{ path: '/', custom_directives: { [name]: value } }] })

describe('custom directives', () => {
  test.each([
    ['proxy_read_timeout', '60s'],
    ['proxy_read_timeout', '60s;'],
    ['internal', ''],
    ['limit_except', 'GET { allow 10.0.0.0/8; deny all; }'],
    ['if', '($request_method = POST) { return 405; }'],
    ['add_header', `X-A "a; b } c {"`],
    ['access_log', 'off'],
    ['types', '{ text/x-own own; }'],
    ['some_module_directive', 'x y'],
    ['proxy_store', 'off'],
    ['dav_methods', 'off'],
    ['return', '301 https://$host$request_uri'],
  ])('allows %s %s', (name, value) => {
    expect(checkDirective(name, value)).toEqual([])
  })

  test.each([
    ['deny', 'all; allow all', 'INVALID_FORMAT'],
    ['deny', 'all; } location /x { return 200', 'INVALID_FORMAT'],
    ['deny', 'all; } } server { listen 1; location / { deny all', 'INVALID_FORMAT'],
    ['limit_except', 'GET { deny all;', 'INVALID_FORMAT'],
    ['add_header', 'X-A "a', 'INVALID_FORMAT'],
    ['add_header', String.raw`X-A "a\r\nSet-Cookie: b"`, 'INVALID_FORMAT'],
    ['add_header', 'X-A "a\r\nSet-Cookie: b"', 'INVALID_FORMAT'],
    ['deny', 'all; # } ', 'INVALID_FORMAT'],
    ['add_header', `X-A "${'é'.repeat(2100)}"`, 'INVALID_FORMAT'],
    ['add_header', 'X-A', 'INVALID_FORMAT'],
    ['return', String.raw`302 "/x\r\nA: b"`, 'INVALID_FORMAT'],
    ['return', String.raw`"/x\r\nA: b"`, 'INVALID_FORMAT'],
    ['rewrite', String.raw`^ "http://a/\nb" redirect`, 'INVALID_FORMAT'],
    ['more_set_headers', '"X-A: a\nX-B: b"', 'INVALID_FORMAT'],
    ['types', '{ "text/html\nX-A: b" html; }', 'INVALID_FORMAT'],
    ['fastcgi_param', 'A "a\u0000b"', 'INVALID_FORMAT'],
    ['add_header', '"X A" b', 'INVALID_FORMAT'],
    ['proxy_set_header', 'X-A b always', 'INVALID_FORMAT'],
    ['include', '/etc/passwd', 'NOT_ALLOWED'],
    ['if', '($a) { include /etc/passwd; }', 'NOT_ALLOWED'],
    ['if', '($a) { proxy_pass http://x; }', 'NOT_ALLOWED'],
    ['types', '{ include /etc/passwd; }', 'NOT_ALLOWED'],
    ['content_by_lua_block', '{ os.execute("x") }', 'NOT_ALLOWED'],
    ['content_by_lua', "'x'", 'NOT_ALLOWED'],
    ['js_content', 'x', 'NOT_ALLOWED'],
    ['perl', 'x', 'NOT_ALLOWED'],
    ['load_module', '/x.so', 'NOT_ALLOWED'],
    ['ssl_engine', '/x.so', 'NOT_ALLOWED'],
    ['proxy_ssl_conf_command', 'VerifyCAFile /etc/shadow', 'NOT_ALLOWED'],
    ['proxy_store', '/x', 'NOT_ALLOWED'],
    ['dav_methods', 'PUT', 'NOT_ALLOWED'],
    ['proxy_temp_path', '/x', 'NOT_ALLOWED'],
    ['access_log', '/etc/cron.d/x', 'NOT_ALLOWED'],
    ['error_log', '/x', 'NOT_ALLOWED'],
    ['location', '/x { return 200; }', 'NOT_ALLOWED'],
    ['server_name', 'x', 'NOT_ALLOWED'],
    ['listen', '81', 'NOT_ALLOWED'],
    ['proxy_pass', 'http://x', 'NOT_ALLOWED'],
    ['map', '$a $b { default 1; }', 'NOT_ALLOWED'],
    ['ssl_protocols', 'TLSv1.3', 'NOT_ALLOWED'],
    ['worker_processes', '4', 'NOT_ALLOWED'],
  ])('refuses %s %s', (name, value, code) => {
    expect(checkDirective(name, value)).toEqual([`locations.0.custom_directives.${name} ${code}`])
  })

  test('a directive of a virtual host is checked for that context', () => {
    expect(checkHost({ custom_directives: { ssl_protocols: 'TLSv1.3' } })).toEqual([])
    expect(checkHost({ custom_directives: { ssl_conf_command: 'Ciphersuites TLS_AES_128_GCM_SHA256' } })).toEqual([])
    expect(checkHost({ custom_directives: { ssl_conf_command: 'PrivateKey /etc/key.pem' } })).toEqual([
      'custom_directives.ssl_conf_command NOT_ALLOWED',
    ])
    expect(checkHost({ custom_directives: { alias: '/x/' } })).toEqual(['custom_directives.alias NOT_ALLOWED'])
  })
})

describe('extra directives', () => {
  const inLocation = (text: string) => checkHost({ locations: [{ path: '/', extra_directives: [text] }] })
  const inServer = (text: string) => checkHost({ extra_directives: [text] })
  const inSettings = (text: string) =>
    checkSettings({ nginx_directives: {}, env_vars: {}, extra_directives: [text] }).map(({ field, code }) => `${field} ${code}`)

  test.each([
    'allow 10.0.0.0/8',
    'proxy_pass $target',
    String.raw`return 200 "ok\n"`,
    'fastcgi_param PHP_VALUE "memory_limit=1G\n max_execution_time=60"',
    String.raw`if ($args ~ "[\r\n]") { return 400; }`,
    'set $policy "a;\n\tb"',
    'add_header X-A "a\tb"',
    'set $a "x;y";',
    'if ($a) { proxy_pass http://x; }',
    'location ~ \\.php$ { if ($a) { return 403; } fastcgi_pass unix:/x; }',
    'location /a { location /a/b { proxy_pass http://x/; } }',
  ])('allows %s in a location', (text) => {
    expect(inLocation(text)).toEqual([])
  })

  test.each([
    ['deny all; allow all', 'INVALID_FORMAT'],
    ['deny all; } location /x { return 200;', 'INVALID_FORMAT'],
    ['"deny" all', 'INVALID_FORMAT'],
    ['{}', 'INVALID_FORMAT'],
    ['location /x { include /etc/passwd; }', 'NOT_ALLOWED'],
    ['location /x { content_by_lua_block { x } }', 'NOT_ALLOWED'],
    ['location /x { access_log /x; }', 'NOT_ALLOWED'],
    ['if ($a) { if ($b) { return 200; } }', 'INVALID_FORMAT'],
    ['upstream x { server y; }', 'NOT_ALLOWED'],
    ['ssl_protocols TLSv1.3', 'NOT_ALLOWED'],
  ])('refuses %s in a location', (text, code) => {
    expect(inLocation(text)).toEqual([`locations.0.extra_directives.0 ${code}`])
  })

  test('a virtual host has its locations in a field, the settings may have upstreams', () => {
    expect(inServer('location /x { return 200; }')).toEqual(['extra_directives.0 NOT_ALLOWED'])
    expect(inServer('if ($a) { return 200; }')).toEqual([])
    expect(inSettings('upstream php { server unix:/x; keepalive 4; }')).toEqual([])
    expect(inSettings('upstream nxmesh_x { server unix:/x; }')).toEqual(['extra_directives.0 NOT_ALLOWED'])
    expect(inSettings('server { listen 1; }')).toEqual(['extra_directives.0 NOT_ALLOWED'])
    expect(inSettings('map $a $b { default 1; }')).toEqual([])
  })

  test('a location proxies to one place', () => {
    expect(checkHost({ locations: [{ path: '/', proxy_pass: 'http://x', extra_directives: ['proxy_pass $y'] }] })).toEqual([
      'locations.0.extra_directives.0 CONFLICT',
    ])
  })

  test('a location cannot have both a root and an alias', () => {
    expect(checkHost({ locations: [{ path: '/', root: '/x', extra_directives: ['alias /y/'] }] })).toEqual([
      'locations.0.extra_directives.0 CONFLICT',
    ])
  })
})

describe('locations', () => {
  test.each([
    [[{ path: '/a' }, { path: '^~ /a' }], ['locations.1.path DUPLICATE']],
    [[{ path: '/a b' }, { path: '/a%20b' }], ['locations.1.path DUPLICATE']],
    [[{ path: '~ x' }, { path: '~ x' }], ['locations.1.path DUPLICATE']],
    [[{ path: '/a' }, { path: '= /a' }], []],
    [[{ path: '~ ^/(a' }], ['locations.0.path INVALID_FORMAT']],
    [[{ path: '~ [)]{2}' }], []],
    [[{ path: '/a%0d%0ab' }], ['locations.0.path INVALID_FORMAT']],
    [[{ path: '~ x', proxy_pass: 'http://a/' }], ['locations.0.proxy_pass INVALID_VALUE']],
    [[{ path: '@x', proxy_pass: 'http://a/b' }], ['locations.0.proxy_pass INVALID_VALUE']],
    [[{ path: '~ x', proxy_pass: 'http://a$request_uri' }], []],
    [[{ path: '/', proxy_pass: 'http://a', upstream_id: '00000000-0000-7000-8002-000000000001' }], ['locations.0.proxy_pass CONFLICT']],
    [[{ path: '/', root: '/x', custom_directives: { alias: '/y/' } }], ['locations.0.custom_directives.alias CONFLICT']],
    [
      [{ path: '/', custom_headers: [{ name: 'X-A', value: 'a', direction: 'request' as const }] }],
      ['locations.0.custom_headers.0.direction INVALID_VALUE'],
    ],
    [[{ path: '/', rewrite_rules: [{ pattern: '^/(a)', replacement: '/$2' }] }], ['locations.0.rewrite_rules.0.replacement INVALID_VALUE']],
    [[{ path: '/', rewrite_rules: [{ pattern: '^/(?<x>a)(?:b)', replacement: '/$1' }] }], []],
    [[{ path: '/', custom_headers: [{ name: 'X-A', value: '"'.repeat(2500) }] }], ['locations.0.custom_headers.0.value TOO_LONG']],
  ])('%j', (locations, problems) => {
    expect(checkHost({ locations })).toEqual(problems)
  })
})

describe('typed options', () => {
  test.each<[Partial<HostDraft>, string[]]>([
    [
      { client: { max_body_size: '1m' }, custom_directives: { client_max_body_size: '2m' } },
      ['custom_directives.client_max_body_size CONFLICT'],
    ],
    [
      { locations: [{ path: '/', proxy: { buffers: { size: '8k' } }, custom_directives: { proxy_busy_buffers_size: '8k' } }] },
      ['locations.0.custom_directives.proxy_busy_buffers_size CONFLICT'],
    ],
    [{ client: { max_body_size: '1m' }, locations: [{ path: '/', custom_directives: { client_max_body_size: '2m' } }] }, []],
  ])('%j', (host, problems) => {
    expect(checkHost(host)).toEqual(problems)
  })

  test('of the settings', () => {
    const nginx_directives = { proxy_read_timeout: '5s', gzip: 'on' }
    expect(checkSettings({ nginx_directives, env_vars: {}, proxy: { read_timeout: 9 } })).toMatchObject([
      {
        field: 'nginx_directives.proxy_read_timeout',
        code: 'CONFLICT',
        message: '"proxy_read_timeout" is set by proxy.read_timeout already',
      },
    ])
  })
})

test('upstreams', () => {
  const check = (draft: NonNullable<ConfigDraft['upstreams']>[number]) =>
    checkUpstream(configOf({ upstreams: [draft] }).upstreams[0]!).map(({ field }) => field)
  expect(check({ algorithm: 'ip_hash', servers: [{ address: 'a' }, { address: 'b', backup: true }] })).toEqual(['servers.1.backup'])
  expect(check({ servers: [{ address: 'b', backup: true }] })).toEqual(['servers'])
  expect(check({ algorithm: 'least_connections', servers: [{ address: 'a' }, { address: 'b', backup: true }] })).toEqual([])
})

test('settings', () => {
  const check = (nginx_directives: Record<string, string>) => checkSettings({ nginx_directives, env_vars: {} }).map(({ field }) => field)
  expect(check({ worker_processes: '2', worker_connections: '10', gzip: 'on', map: '$a $b { default x; }' })).toEqual([])
  expect(check({ user: 'root', daemon: 'off', return: '200', include: 'x' })).toEqual([
    'nginx_directives.user',
    'nginx_directives.daemon',
    'nginx_directives.return',
    'nginx_directives.include',
  ])
  expect(checkSettings({ nginx_directives: {}, env_vars: { A: '"'.repeat(2060) } })).toMatchObject([
    { field: 'env_vars.A', code: 'TOO_LONG' },
  ])
})

test.each(['LD_PRELOAD', 'LD_LIBRARY_PATH', 'OPENSSL_CONF', 'PERL5LIB', 'GLIBC_TUNABLES', 'NGINX'])(
  'checkSettings refuses the variable %s, which a new nginx binary would obey',
  (name) => {
    expect(checkSettings({ nginx_directives: {}, env_vars: { [name]: '/x', TZ: 'UTC', NGINXES: 'x' } })).toMatchObject([
      { field: `env_vars.${name}`, code: 'NOT_ALLOWED' },
    ])
  },
)

describe('checkTestContent', () => {
  test.each([
    'events {} http { server { listen 80; location / { return 200; access_log off; } } }',
    'http { map $a $b { pid 1; default 0; } }',
  ])('allows %s', (text) => {
    expect(checkTestContent(text)).toEqual([])
  })

  test.each([
    'load_module /x.so;',
    'ssl_engine /x.so;',
    'include /etc/passwd;',
    'http { map $a $b { include /etc/passwd; } }',
    'http { server { location / { content_by_lua_block { x } } } }',
    'http { init_by_lua "x"; }',
    'http { perl_set $x "sub {}"; }',
    'http { js_import x.js; }',
    'http { access_log /x; }',
    'error_log /x;',
    'pid /x;',
    'http { server { ssl_certificate /etc/x; } }',
    'http { client_body_temp_path /x; }',
    'http { "include" /etc/passwd; }',
    String.raw`http { incl\ude /etc/passwd; } }`,
  ])('refuses %s', (text) => {
    expect(checkTestContent(text)).toHaveLength(1)
  })
})
