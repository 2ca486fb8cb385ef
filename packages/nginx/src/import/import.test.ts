import { settings as settingsSchema } from '@nxmesh/model/settings'
import { upstreamInput } from '@nxmesh/model/upstream'
import { virtualHostInput } from '@nxmesh/model/virtual-host'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { id } from '../../tests/support/config.ts'
import { checkSettings, checkUpstream, checkVirtualHost } from '../check.ts'
import { parseVersion } from '../facts.ts'
import { render } from '../render.ts'
import { importConfig } from './import.ts'
import { readSources } from './includes.ts'
import { differencesAfterImport } from './proof.ts'
import type { SourceDirective } from './source.ts'

function importText(text: string, certificate: string | null = id(9, 1)) {
  const sources = readSources(new Map([['nginx.conf', text]]), 'nginx.conf')
  let count = 0
  const result = importConfig(sources, { newId: () => id(1, ++count), findCertificate: () => certificate ?? undefined })
  return { sources, result, differences: differencesAfterImport(sources, result) }
}

const hosts = (servers: string) => importText(`http { ${servers} }`).result.virtual_hosts
const leftOut = (servers: string) =>
  importText(`http { ${servers} }`).result.lines.flatMap(({ outcome, directive, message }) =>
    outcome === 'left_out' ? [`${directive}: ${message}`] : [],
  )

function countOf(directives: readonly SourceDirective[]): number {
  return directives.reduce((sum, { block }) => sum + 1 + countOf(block ?? []), 0)
}

describe('servers', () => {
  test('one for each port, the first of a port being its default', () => {
    const made = hosts(`server { listen 80; listen [::]:80; listen 8080; server_name A.test; return 204; }
      server { listen 8080 default_server; server_name b.test; return 204; } server { server_name a.test c.test; return 204; }`)
    expect(made.map(({ name, server_name, listen_port }) => [name, server_name, listen_port])).toEqual([
      ['a.test (port 80)', 'a.test _', 80],
      ['a.test (port 8080)', 'a.test', 8080],
      ['b.test', 'b.test _', 8080],
      ['a.test (2)', 'c.test', 80],
    ])
  })

  test('one on single addresses of a port listens there only, with names and a default of their own', () => {
    const made = hosts(`server { listen 80; listen 127.0.0.1:80; listen [0::1]:80; server_name a.test; return 204; }
      server { listen 127.0.0.1; listen localhost:81; listen [::1]:80 default_server; server_name a.test b.test; return 204; }`)
    expect(made.map(({ server_name, listen_port, listen_addresses }) => [server_name, listen_port, listen_addresses])).toEqual([
      ['a.test _', 80, undefined],
      ['a.test _', 80, ['127.0.0.1']],
      ['a.test', 80, ['::1']],
      ['b.test', 80, ['127.0.0.1']],
      ['a.test b.test _', 81, ['127.0.0.1']],
      ['b.test _', 80, ['::1']],
    ])
    expect(new Set(made.map(({ name }) => name)).size).toBe(made.length)
  })

  test('TLS on some addresses of a port is that of these alone', () => {
    const made = hosts(`server { listen 127.0.0.1:443; listen 127.0.0.2:443 ssl; server_name a.test; ssl_certificate a.pem; return 204; }
      server { listen 443; listen 127.0.0.2:443; server_name b.test; ssl_certificate a.pem; return 204; }`)
    expect(made.map(({ server_name, listen_addresses, ssl_enabled }) => [server_name, listen_addresses, ssl_enabled])).toEqual([
      ['a.test _', ['127.0.0.1'], false],
      ['a.test _', ['127.0.0.2'], true],
      ['b.test _', undefined, false],
      ['b.test', ['127.0.0.2'], true],
    ])
    expect(new Set(made.map(({ name }) => name)).size).toBe(made.length)
  })

  test('the PROXY protocol on some sockets of a server is that of all servers there, and of these sockets alone', () => {
    const made =
      hosts(`server { listen 80; listen 8080 proxy_protocol; server_name a.test; set_real_ip_from 10.0.0.0/8; set_real_ip_from ::1;
      real_ip_header proxy_protocol; location / { root /srv; } }
      server { listen 8080; listen 127.0.0.2:8080; server_name b.test; location / { root /srv; } }`)
    expect(
      made.map(({ server_name, listen_port, listen_addresses, accept_proxy_protocol }) => [
        server_name,
        listen_port,
        listen_addresses,
        accept_proxy_protocol,
      ]),
    ).toEqual([
      ['a.test _', 80, undefined, undefined],
      ['a.test _', 8080, undefined, { trusted: [] }],
      ['b.test', 8080, undefined, { trusted: [] }],
      ['b.test _', 8080, ['127.0.0.2'], undefined],
    ])
    expect(made[1]).toMatchObject({
      custom_directives: { real_ip_header: 'proxy_protocol' },
      extra_directives: ['set_real_ip_from 10.0.0.0/8', 'set_real_ip_from ::1'],
    })
  })

  test('one on unix sockets listens there, and on its ports beside in another', () => {
    const made =
      hosts(`server { listen 8080; listen unix:/run/a.sock proxy_protocol; listen unix:/run/b.sock proxy_protocol; server_name a.test; return 204; }
      server { listen unix:/run/a.sock; server_name b.test; location / { root /srv; } }`)
    expect(
      made.map(({ name, server_name, listen_port, listen_addresses, accept_proxy_protocol }) => [
        name,
        server_name,
        listen_port,
        listen_addresses,
        accept_proxy_protocol !== undefined,
      ]),
    ).toEqual([
      ['a.test (port 8080)', 'a.test _', 8080, undefined, false],
      ['a.test (unix:/run/a.sock)', 'a.test _', 8080, ['unix:/run/a.sock', 'unix:/run/b.sock'], true],
      ['b.test', 'b.test', 80, ['unix:/run/a.sock'], true],
    ])
  })

  test('one that would be opened to all, or protected less, is left out', () => {
    expect(leftOut('server { listen inside.test:80; return 200; }')[0]).toContain('listens on "inside.test"')
    expect(leftOut('server { listen unix:run/a.sock; return 200; }')[0]).toContain('unix socket')
    expect(leftOut('server { listen 80 odd_protocol; return 200; }')[1]).toContain('"odd_protocol"')
    for (const guard of ['access_by_lua_block { x }', 'auth_jwt_x y; js_access a.b', 'include missing.conf', 'perl_require x.pm'])
      expect(
        hosts(`server { listen 80; server_name a.test; location / { ${guard}${guard.endsWith('}') ? '' : ';'} return 200; } }`),
      ).toEqual([])
  })

  test('one that uses what cannot be taken over is left out, and says what is missing', () => {
    const server = (inside: string) => `server { listen 80; server_name a.test; ${inside} }`
    const lost: [around: string, inside: string, why: string][] = [
      ['geoip_country g.dat;', 'if ($geoip_country_code = XX) { return 403; } return 204;', 'uses $geoip_country_code'],
      ['geoip2 g.mmdb { $land country iso_code; } map $land $wanted { default 1; }', 'return 200 $wanted;', 'uses $wanted'],
      ['map $host $site { default a; include missing.conf; }', 'location / { root /srv; add_header X-Site "${site}"; }', 'uses $site'],
      ['upstream app { server 10.0.0.1; balancer_by_lua_block { x() } }', 'location / { proxy_pass http://app/x; }', 'uses app,'],
      ['js_set $made a.b;', 'location / { location /in { return 200 $made; } }', 'uses $made'],
      ['limit_req_zone $land zone=z:1m rate=1r/s; geoip2 g { $land x; }', 'limit_req zone=z burst=2; return 204;', 'uses zone z'],
      ['geoip_org g.dat; add_header X-Org $geoip_org;', 'return 204;', 'uses $geoip_org'],
    ]
    for (const [around, inside, why] of lost) {
      const text = `${around} ${server(inside)} server { listen 81; return 204; }`
      const left = leftOut(text)
      expect(
        left.find((line) => line.startsWith('server:')),
        text,
      ).toContain(why)
      expect(hosts(text).length, text).toBe(around.includes('add_header') ? 0 : 1)
    }
    // What a server sets itself is there with it, and what is defined elsewhere, too, is not lost.
    const own = `${server('set $a 1; js_content x.y;')} ${server('set $a 1; return 200 $a;').replace('80', '81')}`
    expect(hosts(own)).toHaveLength(1)
    expect(leftOut(own)[0]).toContain('"js_content" is not allowed')
  })

  test('one with directives of a module that no agent loads is left out', () => {
    const module = 'load_module modules/ngx_nchan_module.so;'
    const text = 'http { server { listen 80; location / { nchan_pubsub; } } server { listen 81; return 204; } }'
    const { virtual_hosts, lines } = importText(`${module} ${text}`).result
    expect(virtual_hosts.map(({ listen_port }) => listen_port)).toEqual([81])
    expect(lines.map(({ message }) => message)).toContainEqual(expect.stringContaining('which no agent loads'))
    expect(importText(text).result.virtual_hosts).toHaveLength(2)
  })

  test('one with directives of a module that agents load is taken, and the module need not be said', () => {
    const module = 'load_module modules/ngx_http_headers_more_filter_module.so;'
    const text = 'http { more_clear_headers X-A; server { listen 80; more_set_headers "A: b"; more_clear_headers Server; return 204; } }'
    const { result, differences } = importText(`${module} ${text}`)
    const { virtual_hosts, settings, lines } = result
    expect(differences.filter(({ change }) => change === 'removed')).toEqual([])
    expect(virtual_hosts).toMatchObject([{ custom_directives: { more_set_headers: '"A: b"', more_clear_headers: 'Server' } }])
    expect(settings.nginx_directives).toEqual({ more_clear_headers: 'X-A' })
    expect(lines[0]).toMatchObject({ outcome: 'replaced', message: expect.stringContaining('the agent loads this module') })
  })

  test('HTTP/2 without TLS stays, and is the default server’s to say', () => {
    const made = hosts(`server { listen 50051 http2; server_name g.test; return 204; }
      server { listen 80; http2 on; return 204; } server { listen 80; server_name b.test; return 204; }
      server { listen 81; return 204; } server { listen 81; http2 on; server_name b.test; return 204; }`)
    expect(made.map(({ listen_port, http2_enabled }) => [listen_port, http2_enabled])).toEqual([
      [50051, true],
      [80, true],
      [80, true],
      [81, false],
      [81, false],
    ])
  })

  test('a default server that rejects handshakes is NxMesh’s own there, and answers without TLS as before', () => {
    const inside = 'server_name _; ssl_reject_handshake on; ssl_session_tickets off; location ^~ / { return 503; }'
    const text = `server { listen 80; listen 443 ssl; ${inside} } server { listen 443 ssl; server_name a.test; ssl_certificate a.pem; return 204; }`
    expect(hosts(text)).toMatchObject([
      { listen_port: 80, server_name: '_', locations: [{ path: '^~ /' }] },
      { listen_port: 443, server_name: 'a.test' },
    ])
    expect(leftOut(text)).toEqual([])
    expect(importText(`http { ${text} }`).differences.filter(({ change }) => change === 'removed')).toEqual([])
    // By name it would reject others than NxMesh does.
    expect(leftOut(text.replace('server_name _', 'server_name b.test'))[0]).toContain('ssl_reject_handshake')
  })

  test('what listens where no virtual host can is a difference', () => {
    const removed = (text: string) =>
      importText(text).differences.flatMap(({ change, context, directive }) => (change === 'removed' ? [`${context}: ${directive}`] : []))
    expect(removed('http { server { listen unix:run/a.sock; server_name a.test; return 200; } }')).toEqual([
      'server a.test on unix:run/a.sock: listen unix:run/a.sock',
      'server a.test on unix:run/a.sock: return 200',
    ])
    expect(removed('http { server { listen 80; listen unix:run/a.sock; server_name a.test; return 200; } }')).toEqual([
      'server a.test on unix:run/a.sock: listen unix:run/a.sock',
    ])
    expect(removed('stream { server { listen unix:run/db.sock; proxy_pass 10.0.0.1:3306; } }')).toEqual([
      'stream: ',
      'stream server on unix:run/db.sock: listen unix:run/db.sock',
      'stream server on unix:run/db.sock: proxy_pass 10.0.0.1:3306',
    ])
    expect(removed('http { server { listen [::1]:80; return 200; } }')).toEqual([])
  })

  test('a default server that only closes connections is NxMesh’s own', () => {
    const text = 'server { listen 80 default_server; server_name _; return 444; } server { listen 80; server_name a.test; return 204; }'
    expect(hosts(text).map(({ server_name }) => server_name)).toEqual(['a.test'])
    expect(leftOut(text)).toEqual([])
  })

  test('TLS of one server on a port is that of all', () => {
    const made = hosts(`server { listen 443 ssl http2; server_name a.test; ssl_certificate a.pem; return 204; }
      server { listen 443; server_name b.test; ssl_certificate a.pem; return 204; } server { listen 8443; ssl on; server_name c.test; ssl_certificate a.pem; return 204; }`)
    expect(made.map(({ ssl_enabled, http2_enabled }) => [ssl_enabled, http2_enabled])).toEqual([
      [true, true],
      [true, true],
      [true, false],
    ])
    expect(importText('http { server { listen 443 ssl; ssl_certificate a.pem; return 204; } }', null).result.virtual_hosts).toEqual([])
  })
})

describe('locations', () => {
  const locations = (inside: string, around = '') => hosts(`${around} server { listen 80; ${inside} }`)[0]?.locations

  test('one that no name leads to says so, and one whose names are taken', () => {
    const servers = (names: string) => `server { listen 80; server_name a.test; return 204; } server { listen 80; ${names} return 205; }`
    expect(leftOut(servers(''))[0]).toContain('only requests without the name of a host reach it')
    expect(leftOut(servers('server_name a.test;'))[0]).toContain('all its names are those of servers before it')
  })

  test('TLS commands that open no file are taken', () => {
    const server = (command: string) =>
      `server { listen 443 ssl; server_name a.test; ssl_certificate a.pem; ssl_conf_command ${command}; return 204; }`
    expect(hosts(server('Options KTLS'))).toHaveLength(1)
    expect(leftOut(server('ServerInfoFile /x'))[0]).toContain('"ssl_conf_command" is not allowed')
  })

  test('an upstream by name is an object, anything else is an address', () => {
    const around = 'upstream app { server 10.0.0.1; } upstream odd { hash $uri; server 10.0.0.2; }'
    expect(
      locations(
        'location /a { proxy_pass http://app; } location /b { proxy_pass http://app/x; } location /c { proxy_pass http://odd; }',
        around,
      ),
    ).toMatchObject([{ upstream_id: id(1, 1) }, { proxy_pass: 'http://app/x' }, { proxy_pass: 'http://odd' }])
  })

  test('a second one with the same regular expression is never reached, and takes nothing along', () => {
    const text = 'location ~ \\.php$ { return 201; } location ~* \\.php$ { return 202; } location ~ \\.php$ { return 203; }'
    expect(locations(text)?.map(({ path, custom_directives }) => [path, custom_directives])).toEqual([
      ['~ \\.php$', { return: '201' }],
      ['~* \\.php$', { return: '202' }],
    ])
    const { differences } = importText(`http { server { listen 80; ${text} } }`)
    expect(differences.filter(({ change }) => change === 'removed')).toEqual([])
    expect(leftOut(`server { listen 80; ${text} }`)).toContainEqual(expect.stringContaining('is never reached'))
  })

  test('one that no path can lead to is left out alone', () => {
    const server = (more: string) =>
      `server { listen 80; server_name a.test; location admin/ { deny all; } location / { return 204; } ${more} }`
    expect(leftOut(server('rewrite ^/x https://b.test/;'))).toEqual([
      'location admin/: is never reached: the path of a request begins with a slash',
      'deny all: is never reached: the path of a request begins with a slash',
    ])
    expect(hosts(server(''))[0]!.locations.map(({ path }) => path)).toEqual(['/'])
    expect(hosts(server('location /in { rewrite ^/in/(.*) admin/$1 last; }'))).toEqual([])
  })

  test('what proxies within a block of its own is kept with it', () => {
    const [host] = hosts(`server { listen 80; server_name a.test; location / { if ($uri ~ "/(.*)") { proxy_pass http://127.0.0.1:1/$1; } }
      location /b { limit_except POST { proxy_pass http://127.0.0.1:1; } proxy_pass http://127.0.0.1:2; } }`)
    expect(host!.locations.map(({ extra_directives }) => extra_directives?.[0])).toEqual([
      expect.stringContaining('proxy_pass http://127.0.0.1:1/$1;'),
      expect.stringContaining('proxy_pass http://127.0.0.1:1;'),
    ])
  })

  test('a header that nginx writes itself stays a directive', () => {
    const text = 'location = /502 { add_header grpc-status 14; add_header content-length 0; return 204; }'
    expect(locations(text)).toMatchObject([
      { custom_headers: [{ name: 'grpc-status' }], custom_directives: { add_header: 'content-length 0', return: '204' } },
    ])
  })

  test('headers that may be repeated are those of the level that nginx takes them from', () => {
    const text = `add_header Link <a>; add_header Link <b>; location / { return 200; }
      location /own { add_header Link <c>; return 200; } location /other { add_header X-A 1; return 200; }`
    expect(locations(text)?.map(({ custom_headers }) => custom_headers.map(({ name, value }) => `${name} ${value}`))).toEqual([
      [],
      ['Link ', 'Link <c>'],
      ['Link ', 'X-A 1'],
    ])
    expect(importText(`http { server { listen 80; ${text} } }`).differences.filter(({ context }) => context.startsWith('server'))).toEqual(
      [],
    )
  })

  test('an upstream that variables may name keeps its name', () => {
    const kept = (text: string) =>
      (
        importText(`http { upstream blue { server 10.0.0.1; } upstream green { server 10.0.0.2; } ${text} }`).result.settings
          .extra_directives ?? []
      ).flatMap((each) => /^upstream (\w+)/.exec(each)?.[1] ?? [])
    const server = (inside: string) => `server { listen 80; server_name a.test; ${inside} }`
    const passing = (address: string) => server(`location / { proxy_pass ${address}; }`)
    expect(kept(`map $cookie_side $pool { default blue; new $other; } map $uri $other { ~x green; } ${passing('http://$pool')}`)).toEqual([
      'blue',
      'green',
    ])
    expect(kept(`split_clients $remote_addr $pool { 5% green; * 10.0.0.9; } ${passing('http://$pool/x$request_uri')}`)).toEqual(['green'])
    expect(kept(server('set $to http://Blue; location / { proxy_pass $to; }'))).toEqual(['blue'])
    expect(kept(server('location ~ ^/(\\w+)/ { proxy_pass http://$1; }'))).toEqual(['blue', 'green'])
    expect(kept(server('location ~ ^/(\\w+)/ { proxy_pass http://b$1; }'))).toEqual(['blue'])
    expect(kept(passing('$scheme://green'))).toEqual(['green'])
    expect(
      kept(
        `map $uri $pool { default 10.0.0.9; } ${server('location / { proxy_pass http://$pool; } location /b { proxy_pass http://blue; }')}`,
      ),
    ).toEqual([])
  })

  test('that an upstream lost the name that a variable holds is a difference', () => {
    const { sources, result } = importText(`http { upstream blue { server 10.0.0.1; } map $uri $pool { default blue; }
      server { listen 80; server_name a.test; location / { proxy_pass http://blue; } location /b { proxy_pass http://$pool; } } }`)
    const named = ({ settings }: typeof result) =>
      differencesAfterImport(sources, { ...result, settings }).filter(({ directive }) => directive.includes('for variables'))
    expect(named(result)).toEqual([])
    const extra_directives = result.settings.extra_directives!.filter((each) => !each.startsWith('upstream'))
    expect(named({ ...result, settings: { ...result.settings, extra_directives } })).toMatchObject([{ change: 'removed' }])
  })

  test('an upstream is named in any case, as nginx does', () => {
    const around = 'upstream App { server 10.0.0.1; }'
    expect(locations('location / { proxy_pass http://app; }', around)).toMatchObject([{ upstream_id: id(1, 1) }])
  })

  test('headers of outer levels are sent where they held', () => {
    const text = 'add_header X-A 1; location / { return 200; } location /b { add_header X-B 2; return 200; }'
    expect(locations(text)?.map(({ custom_headers }) => custom_headers.map(({ name, value }) => [name, value]))).toEqual([
      [],
      [
        ['X-B', '2'],
        ['X-A', ''],
      ],
    ])
  })

  test('what a path means to nginx it means here', () => {
    const paths = ['/a%20b', '=/x', '~*\\.php$', '^~ /s', '@name', '"/a b"']
    expect(locations(paths.map((path) => `location ${path} { return 204; }`).join(' '))?.map(({ path }) => path)).toEqual([
      '/a%2520b',
      '= /x',
      '~* \\.php$',
      '^~ /s',
      '@name',
      '/a b',
    ])
  })
})

const word = fc.oneof(
  fc.constantFrom(
    'a',
    '/',
    '80',
    'http://up',
    'http://up/x',
    '$uri',
    '"x y"',
    'default',
    'on',
    'off',
    'ssl',
    '443',
    '~',
    '^/(a)',
    '"\n"',
    '__proto__',
    'X-A',
    '_',
    'a.test',
    '=',
    '""',
    'up',
    "'{'",
  ),
  fc.string({ unit: fc.constantFrom('a', '/', '.', '*', ':', '$', '~', '=', '\\\\', 'é'), minLength: 1, maxLength: 5 }),
)
const name = fc.constantFrom(
  ...`http server location upstream events map types geo if limit_except listen server_name proxy_pass proxy_set_header add_header root alias index return rewrite set
  allow deny ssl_certificate ssl_certificate_key ssl_protocols ssl http2 http3 include user pid access_log error_log log_format env gzip worker_processes stub_status
  fastcgi_pass fastcgi_param try_files error_page content_by_lua load_module stream default keepalive ip_hash zone __proto__ constructor unknown_one`.split(
    /\s+/,
  ),
)
const tree = fc.letrec<{ directive: string }>((tie) => ({
  directive: fc.oneof(
    { depthSize: 'small' },
    fc.tuple(name, fc.array(word, { maxLength: 3 })).map(([head, args]) => `${[head, ...args].join(' ')};`),
    fc
      .tuple(name, fc.array(word, { maxLength: 2 }), fc.array(tie('directive'), { maxLength: 5 }))
      .map(([head, args, inner]) => `${[head, ...args].join(' ')} { ${inner.join('\n')} }`),
  ),
})).directive
const shaped = fc
  .tuple(fc.array(tree, { maxLength: 4 }), fc.array(fc.array(tree, { maxLength: 8 }), { maxLength: 3 }))
  .map(
    ([around, servers]) =>
      `${around.join('\n')}\nhttp { ${around.join('\n')} ${servers.map((inner) => `server { ${inner.join('\n')} }`).join('\n')} }`,
  )
const facts = parseVersion(
  'nginx version: nginx/1.26.3\nbuilt with OpenSSL 3.0.0\nconfigure arguments: --with-http_ssl_module --with-http_v2_module\n',
)!

test('of any configuration nothing is lost without a word, and what is made is sound', () => {
  fc.assert(
    fc.property(shaped, (text) => {
      const { sources, result } = importText(text)
      if (sources.problems.some(({ code }) => code === 'SYNTAX')) return
      expect(result.lines).toHaveLength(countOf(sources.directives) + sources.includes.filter(({ whole }) => whole).length)
      for (const { id: _id, ...host } of result.virtual_hosts) {
        expect(virtualHostInput.omit({ target_agents: true }).parse(host)).toEqual(host)
        expect(checkVirtualHost(host)).toEqual([])
      }
      for (const { id: _id, ...upstream } of result.upstreams) {
        expect(upstreamInput.parse(upstream)).toEqual(upstream)
        expect(checkUpstream(upstream)).toEqual([])
      }
      expect(settingsSchema.parse(result.settings)).toEqual(result.settings)
      expect(checkSettings(result.settings)).toEqual([])
      const certificates = { [id(9, 1)]: { id: id(9, 1), domain: '', certificate_pem: 'x', private_key_pem: 'y', expires_at: 0 } }
      const config = { virtual_hosts: result.virtual_hosts, upstreams: result.upstreams, certificates, settings: result.settings }
      const { findings } = render(config, { facts, mode: 'owned', digest: 'd', runtime_directory: '/x', ipv6: false })
      expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
    }),
    { numRuns: Number(process.env.NXMESH_IMPORT_RUNS ?? 400) },
  )
})
