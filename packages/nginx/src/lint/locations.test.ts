import { describe, expect, test } from 'vitest'
import { codes, directives, host, type LintDraft, lintOf, location } from '../../tests/support/lint.ts'

const paths = (...all: string[]): LintDraft => ({ virtual_hosts: [host({ locations: all.map((path) => ({ path })) })] })

describe('shadowed_location', () => {
  test.each([
    [['~* ^/a', '~ ^/a/b'], 1],
    [['~ ^/a', '~ ^/a\\.php$'], 1],
    [['~ .*', '~ \\.php$'], 1],
    [['~ ^/', '/a'], 1],
    [['/a', '~ /'], 0],
    [['/img/x', '~ ^/img/'], 0],
    [['/img/x', '~* ^/IMG/.*'], 0],
    [['^~ /img/', '~ ^/img/.*\\.png$'], 1],
    [['/', '^~ /img/', '/img/big/', '~ ^/img/small/'], 3],
    [['~ x', '~* y', '~* x', '~* X', '~ x'], 4],
  ])('%j', (all, dead) => {
    expect(codes(paths(...all))).toEqual([`shadowed_location locations.${dead}.path`])
  })

  test.each([
    [['/', '/a', '= /a', '^~ /b', '@c']],
    [['~ ^/a/b', '~ ^/a']],
    [['~ ^/a', '~* ^/a/b']],
    [['~ ^/ab', '~ ^/ab?c']],
    [['~ ^/a$', '~ ^/a$b']],
    [['~ ^/a|^/b', '~ ^/a|^/b/c']],
    [['~ ^/', '^~ /a', '= /b']],
    [['^~ /img/', '~ \\.png$']],
    [['^~ /img/', '~* ^/img/']],
    [['^~ /img/', '/img/big/', '~ ^/img/.+\\.png$']],
    [['/img/', '~ ^/img/.+\\.png$']],
  ])('nothing in %j', (all) => {
    expect(codes(paths(...all))).toEqual([])
  })
})

test('if_is_evil', () => {
  const found = (custom: Record<string, string>) => codes(directives(custom)).filter((each) => each.startsWith('if_'))
  expect(found({ if: '($arg_a) { root /other; }' })).toEqual(['if_is_evil locations.0.custom_directives.if'])
  expect(found({ if: '($arg_a) { set $x 1; }', try_files: '$uri =404' })).toEqual(['if_is_evil locations.0.custom_directives.if'])
  expect(found({ if: '($arg_a) { return 403; }', try_files: '$uri =404' })).toEqual([])
  expect(found({ if: '($arg_a) { rewrite ^ /x last; }', try_files: '$uri =404' })).toEqual([])
  expect(found({ if: '($arg_a) { set $x 1; }' })).toEqual([])
  expect(codes({ virtual_hosts: [host({ custom_directives: { if: '($arg_a) { set $x 1; }' } })] })).toEqual([])
})

test('try_files_with_proxy', () => {
  const tries = { try_files: '$uri =404' }
  expect(codes(location({ proxy_pass: 'http://127.0.0.1:81', custom_directives: tries }))).toEqual([
    'try_files_with_proxy locations.0.custom_directives.try_files',
  ])
  expect(codes(location({ root: '/srv', custom_directives: { try_files: '$uri @app' } }))).toEqual([])
  const scripts = (tried: string) =>
    codes(directives({ try_files: tried, fastcgi_pass: '127.0.0.1:9000' })).filter((each) => each.startsWith('try_'))
  expect(scripts('$fastcgi_script_name =404')).toEqual([])
  expect(scripts('$uri $uri/ /index.php')).toEqual(['try_files_with_proxy locations.0.custom_directives.try_files'])
})

describe('locations within others', () => {
  const nested = (text: string, more: object = {}) => codes(location({ root: '/srv', ...more, extra_directives: [text] }))

  test('are judged by themselves', () => {
    const proxied = 'location /api { proxy_pass http://127.0.0.1:81; proxy_read_timeout 9s; proxy_connect_timeout 9s; }'
    expect(nested(proxied, { custom_directives: { try_files: '$uri =404' } })).toEqual([])
    expect(nested('location /a { location /a/files { alias /data/; } }')).toEqual(['alias_traversal locations.0.extra_directives.0'])
    expect(nested('location ~ ^/files/(.+)$ { alias /data/$1; }', { path: '/files' })).toEqual([])
  })

  test('lose what the levels around them say', () => {
    const denied = {
      access: {
        rules: [
          { action: 'allow', address: '10.0.0.0/8' },
          { action: 'deny', address: 'all' },
        ],
      },
    }
    expect(nested('location /a { location /a/b { allow 192.0.2.1; deny all; } }', denied)).toEqual([
      'dropped_inheritance locations.0.extra_directives.0',
    ])
    expect(nested('location /a { error_page 404 /x; location /a/b { error_page 404 /x; error_page 500 /y; } }')).toEqual([])
  })
})

test('access_after_return', () => {
  expect(codes(directives({ return: '200 secret', deny: 'all' }))).toEqual(['access_after_return locations.0.custom_directives.deny'])
  expect(codes(directives({ return: '200 x', limit_req: 'zone=z' }))).toEqual([
    'access_after_return locations.0.custom_directives.limit_req',
  ])
  expect(codes(directives({ deny: 'all', root: '/srv' }))).toEqual([])
  expect(codes(directives({ return: '200 x', auth_basic: 'off' }))).toEqual([])
  const guarded = (options: Parameters<typeof host>[0], custom_directives: Record<string, string>) =>
    codes({ virtual_hosts: [host({ ...options, locations: [{ path: '/', custom_directives }] })] })
  const closed = { access: { rules: [{ action: 'deny' as const, address: 'all' }] } }
  expect(guarded(closed, { return: '200 x' })).toEqual(['access_after_return locations.0.custom_directives.return'])
  expect(guarded({ custom_directives: { auth_basic: 'x' } }, { return: '200 x' })).toContain(
    'access_after_return locations.0.custom_directives.return',
  )
  expect(guarded(closed, {})).toEqual([])
  const inherited = {
    custom_directives: { deny: 'all' },
    locations: [
      { path: '/', custom_directives: { return: '200 x' } },
      { path: '/in', root: '/srv' },
    ],
  }
  expect(codes({ virtual_hosts: [host(inherited)] })).toEqual(['access_after_return locations.0.custom_directives.return'])
})

test('allow_without_deny', () => {
  expect(codes(directives({ allow: '10.0.0.0/8' }))).toEqual(['allow_without_deny locations.0.custom_directives.allow'])
  expect(codes(directives({ allow: '10.0.0.0/8', deny: 'all' }))).toEqual([])
  expect(codes(directives({ allow: 'all' }))).toEqual([])
})

test('dropped_inheritance', () => {
  const within = (server: Record<string, string>, custom_directives: Record<string, string>, settings: Record<string, string> = {}) =>
    codes({
      virtual_hosts: [host({ custom_directives: server, locations: [{ path: '/', custom_directives }] })],
      settings: { nginx_directives: settings },
    })
  expect(within({ error_page: '404 /404.html' }, { error_page: '500 /500.html' })).toEqual([
    'dropped_inheritance locations.0.custom_directives.error_page',
  ])
  expect(within({ deny: '10.1.0.0/16' }, { allow: '10.0.0.0/8', deny: 'all' })).toEqual([
    'dropped_inheritance locations.0.custom_directives.allow',
  ])
  expect(within({ allow: '10.0.0.0/8', deny: 'all' }, { allow: 'all' })).toEqual([])
  expect(within({ error_page: '404 /404.html' }, {}, { error_page: '500 /500.html' })).toEqual([
    'dropped_inheritance custom_directives.error_page',
  ])
  expect(within({ error_page: '404 /404.html' }, {})).toEqual([])
  expect(within({ error_page: '404 /404.html' }, { error_page: '404 /404.html' })).toEqual([])
})

describe('the path of an address', () => {
  const passed = (path: string, proxy_pass: string) =>
    codes(location({ path, proxy_pass })).filter((each) => !each.startsWith('normalised'))

  test.each([
    ['/app/', 'http://127.0.0.1:81/x', ['proxy_slash_mismatch locations.0.proxy_pass']],
    ['/app', 'http://127.0.0.1:81/', ['proxy_slash_mismatch locations.0.proxy_pass']],
    ['/app', 'http://unix:/run/a.sock:/', ['proxy_slash_mismatch locations.0.proxy_pass']],
    ['/app/', 'http://127.0.0.1:81/', []],
    ['/app', 'http://127.0.0.1:81', []],
    ['/app', 'http://unix:/run/a.sock', []],
    ['/health', 'http://127.0.0.1:81/health', []],
    ['= /health', 'http://127.0.0.1:81/up/', []],
    ['/', 'http://127.0.0.1:$server_port/x', ['constant_proxy_path locations.0.proxy_pass']],
    ['/', 'http://127.0.0.1:$server_port/x$request_uri', []],
  ])('%s to %s', (path, proxy_pass, expected) => {
    expect(passed(path, proxy_pass)).toEqual(expected)
  })

  test('says what is asked for', () => {
    expect(lintOf(location({ path: '/app/', proxy_pass: 'http://127.0.0.1:81/x' }))[0]!.reason).toBe(
      'asks for "/xx" when "/app/x" is requested',
    )
  })

  test('normalised_path', () => {
    const found = (path: string, proxy_pass: string) => codes(location({ path, proxy_pass }))
    expect(found('/app/', 'http://127.0.0.1:81/')).toEqual(['normalised_path locations.0.proxy_pass'])
    expect(found('/app/', 'http://127.0.0.1:81')).toEqual([])
    expect(found('= /app', 'http://127.0.0.1:81/x')).toEqual([])
  })
})

test('missing_resolver', () => {
  const found = (proxy_pass: string, custom_directives: Record<string, string> = {}, path = '~ ^/(a|b)/') =>
    codes(location({ path, proxy_pass, custom_directives }))
  expect(found('http://$1.internal$request_uri')).toEqual(['missing_resolver locations.0.proxy_pass'])
  expect(found('http://$1.internal$request_uri', { resolver: '127.0.0.1' })).toEqual([])
  expect(found('http://127.0.0.1:$server_port$request_uri')).toEqual([])
  expect(found('http://backend$request_uri')).toEqual([])
  const chosen = (value: string) =>
    codes({
      ...location({ proxy_pass: 'http://$pool' }),
      settings: {
        nginx_directives: {},
        extra_directives: ['upstream blue { server 10.0.0.1; }', `map $uri $pool { default blue; /x ${value}; }`],
      },
    }).filter((each) => each.startsWith('missing_resolver'))
  expect(chosen('10.0.0.2:81')).toEqual([])
  expect(chosen('other.internal')).toEqual(['missing_resolver locations.0.proxy_pass'])
})

test('missing_timeouts: once for a virtual host, and wherever they are set is fine', () => {
  const locations = [
    { path: '/', proxy_pass: 'http://127.0.0.1:81' },
    { path: '/b', proxy_pass: 'http://127.0.0.1:82' },
  ]
  const bare = { server_name: 'a.test', listen_port: 80, locations }
  expect(codes({ virtual_hosts: [bare] })).toEqual(['missing_timeouts locations.0.proxy_pass'])
  expect(lintOf({ virtual_hosts: [bare] })[0]!.reason).toContain('"/" and 1 more')
  const timeouts = { proxy_connect_timeout: '1s', proxy_read_timeout: '10s' }
  expect(codes({ virtual_hosts: [bare], settings: { nginx_directives: timeouts } })).toEqual([])
  const mixed = [
    { ...locations[0]!, custom_directives: timeouts },
    { ...locations[1]!, custom_directives: { proxy_read_timeout: '1s' } },
  ]
  const found = lintOf({ virtual_hosts: [{ ...bare, locations: mixed }] })
  expect(found.map(({ field, fix }) => [field, fix.includes('proxy_read_timeout')])).toEqual([['locations.1.proxy_pass', false]])
})
