import { describe, expect, test } from 'vitest'
import { codes, directives, host, type LintDraft, location } from '../../tests/support/lint.ts'

const settings = (nginx_directives: Record<string, string>, custom: Record<string, string> = {}): LintDraft => ({
  virtual_hosts: [host({ locations: [{ path: '/', custom_directives: custom }] })],
  settings: { nginx_directives },
})
const proxied = (proxy_pass: string, path = '/', resolver = '127.0.0.1') => location({ path, proxy_pass, custom_directives: { resolver } })

describe('ssrf', () => {
  test.each([
    ['a parameter', proxied('http://$arg_host$request_uri')],
    ['a header in the middle', proxied('http://a-$http_x_shard.internal$request_uri')],
    ['a wide group', proxied('http://$1$request_uri', '~ ^/p/(.*)$')],
    ['a group with a name', proxied('http://$to.internal', '~ ^/p/(?<to>.+)$')],
  ])('%s', (_, draft) => {
    expect(codes(draft)).toEqual(['ssrf locations.0.proxy_pass'])
  })

  test.each([
    ['a plain name', proxied('http://backend$request_uri')],
    ['a group of known words', proxied('http://$1.internal$request_uri', '~ ^/(blue|green)/')],
    ['a group of letters', proxied('http://$to.internal$request_uri', '~ ^/(?<to>[a-z0-9-]+)/')],
    ['the path only', proxied('http://127.0.0.1:8080/$arg_page')],
    ['$host where the names are known', proxied('http://$host:8080$request_uri')],
  ])('not %s', (_, draft) => {
    expect(codes(draft)).toEqual([])
  })

  test('$host where any name is served', () => {
    const draft = proxied('http://$host:8080$request_uri')
    const [first] = draft.virtual_hosts!
    expect(codes({ virtual_hosts: [{ ...first!, server_name: '_' }] })).toEqual(['ssrf locations.0.proxy_pass'])
    expect(codes({ virtual_hosts: [{ ...first!, server_name: '*.a.test' }] })).toEqual(['ssrf locations.0.proxy_pass'])
  })

  test('what set and map make of it', () => {
    const through = (map: string) => ({
      ...location({ proxy_pass: 'http://$to$request_uri', custom_directives: { resolver: '127.0.0.1' } }),
      settings: { nginx_directives: { map } },
    })
    expect(codes(through('$arg_a $to { default b; ~^(.+)$ $1; }'))).toEqual(['ssrf locations.0.proxy_pass'])
    expect(codes(through('$arg_a $to { default b; x c; }'))).toEqual([])
    const set = location({ proxy_pass: 'http://$to$request_uri', custom_directives: { resolver: '127.0.0.1', set: '$to $http_x' } })
    expect(codes(set)).toEqual(['ssrf locations.0.proxy_pass'])
  })
})

describe('http_splitting', () => {
  test.each([
    ['return', directives({ return: '302 https://a.test$uri' }), 'custom_directives.return'],
    ['return of a URL alone', directives({ return: 'https://a.test$document_uri' }), 'custom_directives.return'],
    ['a group that takes line breaks', directives({ return: '301 https://a.test/$1' }, '~ ^/v1/([^/]*)'), 'custom_directives.return'],
    ['add_header', directives({ add_header: 'X-Path $uri' }), 'custom_directives.add_header'],
    [
      'a custom header',
      location({
        custom_headers: [
          { name: 'X-A', value: 'a' },
          { name: 'X-Path', value: '${uri}' },
        ],
      }),
      'custom_headers.1.value',
    ],
    [
      'a request header',
      location({ proxy_pass: 'http://b', custom_headers: [{ name: 'X-Forwarded-Uri', value: '$uri' }] }),
      'custom_headers.0.value',
    ],
    ['the address of an upstream', location({ proxy_pass: 'http://127.0.0.1:81$uri' }), 'proxy_pass'],
    [
      'a redirect by rewrite',
      location({ rewrite_rules: [{ pattern: '^', replacement: 'https://a.test$uri' }] }),
      'rewrite_rules.0.replacement',
    ],
    ['through set', directives({ set: '$to /x$uri', return: '302 $to' }), 'custom_directives.return'],
    ['inside an if', directives({ if: '($arg_a) { return 302 https://a.test$uri; }' }), 'custom_directives.if'],
  ])('%s', (_, draft, field) => {
    expect(codes(draft)).toEqual([`http_splitting locations.0.${field}`])
  })

  test.each([
    ['the URI as it was asked for', directives({ return: '302 https://a.test$request_uri' })],
    [
      'what a map takes out of the name of the host',
      {
        ...directives({ add_header: 'X-Tenant $tenant' }),
        settings: { nginx_directives: { map: '$host $tenant { default ""; "~^(?<t>[^.]+)\\." $t; }' } },
      },
    ],
    ['the body of an answer', directives({ return: '200 "$uri"' })],
    ['a variable that only begins so', directives({ return: '302 https://a.test/$uri_of_mine' })],
    ['a group of dots', directives({ return: '301 https://a.test/$1' }, '~ ^/v1/(.*)$')],
    ['a class without line breaks', directives({ return: '301 https://a.test/$1' }, '~ ^/v1/([^/\\s]*)')],
    ['a rewrite that stays inside', location({ rewrite_rules: [{ pattern: '^', replacement: '/x$uri', flag: 'last' }] })],
    [
      'groups of a rewrite, which are encoded again',
      location({ rewrite_rules: [{ pattern: '^/([^/]*)', replacement: 'https://a.test/$1' }] }),
    ],
  ])('not %s', (_, draft) => {
    expect(codes(draft)).toEqual([])
  })
})

describe('alias_traversal', () => {
  test.each([
    ['/i', '/data/', true],
    ['^~ /i', '/data/', true],
    ['/i/', '/data/', false],
    ['/i', '/data', false],
    ['= /i', '/data/', false],
  ])('%s to %s: %s', (path, alias, expected) => {
    expect(codes(directives({ alias }, path))).toEqual(expected ? ['alias_traversal locations.0.custom_directives.alias'] : [])
  })
})

describe('host_spoofing', () => {
  test.each([
    ['$http_host', true],
    ['$arg_host', true],
    ['$host', false],
    ['$proxy_host', false],
    ['a.test', false],
  ])('Host: %s: %s', (value, expected) => {
    const draft = location({ proxy_pass: 'http://127.0.0.1:81', custom_headers: [{ name: 'host', value }] })
    expect(codes(draft)).toEqual(expected ? ['host_spoofing locations.0.custom_headers.0.value'] : [])
  })

  test('other headers may be the client’s', () => {
    expect(
      codes(location({ proxy_pass: 'http://127.0.0.1:81', custom_headers: [{ name: 'X-Original-Host', value: '$http_host' }] })),
    ).toEqual([])
  })
})

describe('header_redefinition', () => {
  const inside = { if: '($arg_a) { add_header X-A a; }' }

  test('headers of every level around are lost', () => {
    const draft: LintDraft = {
      virtual_hosts: [host({ custom_directives: { add_header: 'X-Server s' }, locations: [{ path: '/', custom_directives: inside }] })],
      settings: { nginx_directives: { add_header: 'X-Http h' } },
    }
    expect(codes(draft)).toContain('header_redefinition locations.0.custom_directives.if')
  })

  test('nothing is lost where there is nothing, or where it is repeated', () => {
    expect(codes(directives(inside)).filter((each) => each.startsWith('header_'))).toEqual([])
    const repeated = settings({ add_header: 'X-Http h' }, { if: '($arg_a) { add_header X-A a; add_header x-http h; }' })
    expect(codes(repeated).filter((each) => each.startsWith('header_'))).toEqual([])
  })

  test('a location’s own header drops none: it is rendered with all of them', () => {
    expect(codes(settings({ add_header: 'X-Http h' }, { add_header: 'X-A a' }))).toEqual([])
  })
})

describe('weak_tls', () => {
  test.each([
    [settings({ ssl_protocols: 'TLSv1 TLSv1.2' }), 'nginx_directives.ssl_protocols'],
    [settings({ ssl_ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:RC4-SHA' }), 'nginx_directives.ssl_ciphers'],
    [settings({ ssl_ciphers: 'HIGH:aNULL' }), 'nginx_directives.ssl_ciphers'],
    [settings({ proxy_ssl_protocols: 'SSLv3' }), 'nginx_directives.proxy_ssl_protocols'],
    [{ settings: { tls_policy: 'old' } } satisfies LintDraft, 'tls_policy'],
    [{ virtual_hosts: [host({ custom_directives: { ssl_protocols: 'TLSv1.1' } })] }, 'custom_directives.ssl_protocols'],
    [
      {
        certificates: [{}],
        virtual_hosts: [host({ ssl_enabled: true, ssl_certificate_id: '00000000-0000-7000-8003-000000000001', tls: { policy: 'old' } })],
      } satisfies LintDraft,
      'tls.policy',
    ],
  ])('%# is found', (draft, field) => {
    expect(codes(draft)).toEqual([`weak_tls ${field}`])
  })

  test.each([
    settings({ ssl_protocols: 'TLSv1.2 TLSv1.3' }),
    settings({ ssl_ciphers: 'HIGH:!aNULL:!MD5:!RC4' }),
    settings({ ssl_ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305' }),
    { settings: { tls_policy: 'modern' } } satisfies LintDraft,
  ])('%# is fine', (draft) => {
    expect(codes(draft)).toEqual([])
  })
})

test('plain_http_password', () => {
  const asks = { auth_basic: '"staff"', auth_basic_user_file: '/etc/users' }
  expect(codes({ virtual_hosts: [host({ custom_directives: asks })] })).toEqual(['plain_http_password custom_directives.auth_basic'])
  expect(codes(directives(asks, '/in'))).toEqual(['plain_http_password locations.0.custom_directives.auth_basic'])
  expect(codes(settings(asks))).toEqual(['plain_http_password ssl_enabled'])
  expect(codes(directives({ auth_basic: 'off' }))).toEqual([])
  const tls = { ssl_enabled: true, ssl_certificate_id: '00000000-0000-7000-8003-000000000001', custom_directives: asks }
  expect(codes({ certificates: [{}], virtual_hosts: [host(tls)] })).toEqual([])
})

test('unverified_upstream', () => {
  const passed = (proxy_pass: string, custom_directives: Record<string, string> = {}) => codes(location({ proxy_pass, custom_directives }))
  expect(passed('https://10.0.0.1')).toEqual(['unverified_upstream locations.0.proxy_pass'])
  expect(passed('https://10.0.0.1', { proxy_ssl_verify: 'off' })).toEqual(['unverified_upstream locations.0.proxy_pass'])
  expect(passed('https://10.0.0.1', { proxy_ssl_verify: 'on', proxy_ssl_trusted_certificate: '/ca.pem' })).toEqual([])
  expect(passed('http://10.0.0.1')).toEqual([])
})

test('version_disclosure', () => {
  expect(codes(settings({ server_tokens: 'on' }))).toEqual(['version_disclosure nginx_directives.server_tokens'])
  expect(codes(directives({ server_tokens: 'build' }))).toEqual(['version_disclosure locations.0.custom_directives.server_tokens'])
  expect(codes(settings({ server_tokens: 'off' }))).toEqual([])
})

test('valid_referers_none', () => {
  expect(codes(directives({ valid_referers: 'none a.test' }))).toEqual(['valid_referers_none locations.0.custom_directives.valid_referers'])
  expect(codes(directives({ valid_referers: 'server_names a.test' }))).toEqual([])
})

test('external_resolver', () => {
  for (const resolver of ['8.8.8.8', '127.0.0.1 1.1.1.1:53 valid=30s', '[2001:4860:4860::8888]'])
    expect(codes(settings({ resolver }))).toEqual(['external_resolver nginx_directives.resolver'])
  for (const resolver of ['127.0.0.53', '10.0.0.2:5353', '172.20.0.10 ipv6=off', '[::1]', '[fd00::1]:53', 'ns.internal'])
    expect(codes(settings({ resolver }))).toEqual([])
})

describe('unanchored_regex', () => {
  const named = (server_name: string): LintDraft => ({ virtual_hosts: [host({ server_name })] })

  test.each([
    [named('~^a\\.test'), 'server_name'],
    [named('b.test ~a\\.test$'), 'server_name'],
    [named('~^a\\.test|b\\.test$'), 'server_name'],
    [settings({ map: '$http_origin $cors { default ""; "~https://a\\.test" $http_origin; }' }), 'nginx_directives.map'],
    [directives({ valid_referers: 'server_names ~a\\.test' }), 'locations.0.custom_directives.valid_referers'],
    [directives({ if: '($http_origin ~ "^https://a\\.test") { return 403; }' }), 'locations.0.custom_directives.if'],
    [directives({ if: '($http_referer !~ "a\\.test") { return 403; }' }), 'locations.0.custom_directives.if'],
  ])('%# is found', (draft, field) => {
    expect(codes(draft)).toEqual([`unanchored_regex ${field}`])
  })

  test.each([
    named('~^(a|b)\\.test$'),
    named('~^(?<sub>.+)\\.a\\.test$'),
    settings({ map: '$http_origin $cors { default ""; ~^https://a\\.test$ $http_origin; }' }),
    settings({ map: '$http_referer $page { default $http_referer; ~^(?<page_only>.*)\\? $page_only; }' }),
    settings({ map: '$http_user_agent $bot { default 0; ~bot 1; }' }),
    directives({ valid_referers: 'server_names ~^https?://a\\.test/' }),
    directives({ if: '($http_referer !~ "^https://a\\.test/") { return 403; }' }),
    directives({ if: '($http_user_agent ~ bot) { return 403; }' }),
  ])('%# is fine', (draft) => {
    expect(codes(draft)).toEqual([])
  })
})

test('extra directives are read as they are rendered', () => {
  const extra_directives = ['set $a 1', 'return 302 http://x.test$uri']
  expect(codes({ virtual_hosts: [host({ locations: [{ path: '/', extra_directives }] })] })).toEqual([
    'http_splitting locations.0.extra_directives.1',
  ])
})
