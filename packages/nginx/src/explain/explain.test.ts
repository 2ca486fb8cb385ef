import { expect, test } from 'vitest'
import { explain } from './explain.ts'
import { readConfig } from './read-config.ts'
import { compileConfig } from './servers.ts'
import type { Incoming } from './visit.ts'

function ask(http: string, over: Partial<Incoming> = {}) {
  const read = readConfig(new Map([['http.conf', http]]), 'http.conf', true)
  if (!read.ok) throw new Error(read.message)
  const incoming: Incoming = {
    method: 'GET',
    scheme: 'http',
    host: 'a.test',
    port: 80,
    path: '/',
    headers: new Map(),
    source: '127.0.0.1',
    proxied: undefined,
    destination: undefined,
    files: undefined,
    ...over,
  }
  return explain(compileConfig(read.http), incoming, (node) => (node ? { file: node.file, line: node.line, directive: node.name } : null))
}

const tls = `
  server { listen 443 ssl default_server; ssl_reject_handshake on; }
  server { listen 443 ssl; server_name a.test; error_page 497 https://$host$request_uri; location / { return 200 "$scheme $https"; } }
  server { listen 80; location / { proxy_pass https://u; } }
  upstream u { least_conn; server 10.0.0.1:443 weight=3; server b.test backup; server 10.0.0.3 down; }`

test('TLS: the name decides, a rejected handshake and plain HTTP on such a port end the request', () => {
  expect(ask(tls, { scheme: 'https', port: 443 }).outcome).toMatchObject({ kind: 'answer', body: 'https on' })
  expect(ask(tls, { scheme: 'https', port: 443, host: 'b.test' }).outcome).toMatchObject({ kind: 'closed', place: { line: 2 } })
  expect(ask(tls, { scheme: 'http', port: 443, path: '/x' }).outcome).toMatchObject({ kind: 'redirect', location: 'https://a.test/x' })
  expect(ask(tls, { scheme: 'https', port: 80 }).outcome).toMatchObject({ kind: 'closed' })
  expect(ask(tls, { port: 81 }).outcome).toMatchObject({ kind: 'closed', place: null })
})

test('an upstream is told with its servers', () => {
  const { outcome } = ask(tls, { path: '/x?y' })
  expect(outcome).toMatchObject({ kind: 'proxy', url: 'https://u/x?y', upstream: 'u', balancing: 'least_conn' })
  expect(outcome.kind === 'proxy' && outcome.servers).toMatchObject([
    { address: '10.0.0.1:443', weight: 3, backup: false },
    { address: 'b.test', backup: true },
    { address: '10.0.0.3', down: true },
  ])
})

test('what only the host knows is assumed aloud, or said to be unknown', () => {
  const files =
    'server { listen 80; root /srv; location / { try_files $uri $uri/ /index.php?q=$uri; } location ~ php$ { fastcgi_pass unix:/f; } }'
  const fallback = ask(files, { path: '/x' })
  expect(fallback.outcome).toMatchObject({ kind: 'proxy', directive: 'fastcgi_pass' })
  expect(fallback.assumptions).toEqual(['/srv/x is not on the host', '/srv/x/ is not on the host'])
  const told = ask(files, { path: '/x', files: (path) => (path === '/srv/x' ? 'file' : 'none') })
  expect(told).toMatchObject({ outcome: { kind: 'file', path: '/srv/x' }, assumptions: [] })
  for (const rule of [
    'if (-f $request_filename) { return 200; }',
    'if ($ssl_cipher) { return 200; }',
    'auth_request /x;',
    'rewrite "\\p{L}" /;',
  ])
    expect(ask(`server { listen 80; location / { ${rule} root /srv; } }`).outcome.kind, rule).toBe('unknown')
  const locked = 'server { listen 80; auth_basic r; auth_basic_user_file /p; return_ x; location / { root /srv; } }'
  expect(ask(locked)).toMatchObject({ outcome: { kind: 'error', status: 401 }, stopped_by: { place: { directive: 'auth_basic' } } })
  expect(ask(locked, { headers: new Map([['authorization', ['Basic YTpi']]]) }).outcome.kind).toBe('unknown')
})

test('what may come otherwise is told', () => {
  const http = `server { listen 80; root /srv; location / { expires 1d; } location /s { expires 90; sub_filter a b; limit_req zone=z; }
    location /d { dav_methods PUT; } location /l { access_by_lua_file /x; } location /v { proxy_pass http://$arg_to; } }`
  const ranged = ask(http, { path: '/s', headers: new Map([['range', ['bytes=0-1']]]), files: () => 'file' })
  expect(ranged.cautions.map(({ message }) => message)).toEqual([
    'limit_req may refuse the request when there are too many',
    'sub_filter may change the answer',
    'the header range may change the status to 206, 304, 412 or 416',
  ])
  expect(ranged.response_headers).toMatchObject([
    { name: 'Expires', value: null },
    { name: 'Cache-Control', value: 'max-age=90' },
  ])
  expect(ask(http, { path: '/d/x', method: 'PUT' }).outcome.kind).toBe('unknown')
  expect(ask(http, { path: '/d/x', method: 'DELETE' }).outcome).toMatchObject({ kind: 'error', status: 405 })
  expect(ask(http, { path: '/l' }).outcome.kind).toBe('unknown')
  expect(ask(http, { path: '/v?to=a.test' }).cautions).toHaveLength(1)
  for (const [name, value] of [
    ['transfer-encoding', 'chunked'],
    ['x-long', 'x'.repeat(8000)],
  ] as const)
    expect(ask(http, { headers: new Map([[name, [value]]]) }).outcome.kind).toBe('unknown')
})

test('what grows or repeats without end is given up soon', () => {
  const doubling = 'server { listen 80; set $a 0123456789; ' + 'set $a $a$a$a$a; '.repeat(200) + 'return 200 $a; }'
  expect(ask(doubling).outcome.kind).toBe('unknown')
  const slow = Array.from({ length: 500 }, (_, at) => `location ~ "^/(x?x?){${at % 9}}(x+)+y" { return 200; }`).join(' ')
  const from = performance.now()
  expect(ask(`server { listen 80; ${slow} }`, { path: `/${'x'.repeat(40)}` }).outcome.kind).toBe('unknown')
  expect(ask('server { listen 80; location / { rewrite ^ /; rewrite ^ / last; } }').outcome).toMatchObject({ kind: 'error', status: 500 })
  expect(performance.now() - from).toBeLessThan(3000)
})

test('a port that is listened on at several addresses needs the one connected to', () => {
  const http =
    'server { listen 80; return 200 any; } server { listen 10.0.0.1:80; return 200 one; } server { listen [::]:80; return 200 six; }'
  expect(ask(http).outcome.kind).toBe('unknown')
  expect(ask(http, { destination: '10.0.0.1' }).outcome).toMatchObject({ body: 'one' })
  expect(ask(http, { destination: '10.0.0.2' }).outcome).toMatchObject({ body: 'any' })
  expect(ask(http, { source: '2001:db8::1' }).outcome).toMatchObject({ body: 'six' })
})

test('text that is not ASCII is compared byte by byte and shown as it is written', () => {
  const http = 'server { listen 80; location /é { return 200 "ü$uri"; } }'
  expect(ask(http, { path: '/%C3%A9' }).outcome).toMatchObject({ body: 'ü/é' })
})

test('includes are resolved against the main file, in order, and what is missing is told', () => {
  const files = new Map([
    ['conf/nginx.conf', 'events {} http { include sites/*.conf; }'],
    ['conf/sites/b.conf', 'server { listen 80; return 200 b; }'],
    ['conf/sites/a.conf', 'server { listen 80; return 200 a; }'],
    ['conf/sites/.c.conf', 'server { listen 80; return 200 c; }'],
  ])
  const read = readConfig(files, 'conf/nginx.conf')
  expect(read.ok && read.http.map(({ file }) => file)).toEqual(['conf/sites/a.conf', 'conf/sites/b.conf'])
  expect(readConfig(new Map([['n', 'http { include m; }']]), 'n')).toEqual({ ok: false, message: 'the file m is not at hand' })
  expect(readConfig(new Map([['n', 'http { include n; }']]), 'n')).toMatchObject({ ok: false })
})

test('what modules of others do is not guessed', () => {
  const http = `server { listen 80; root /srv; fancyindex on; location /in { more_set_input_headers "X-A: b"; proxy_pass http://10.0.0.1; }
    location /echo { echo hello; } location /sub { echo_location /a; } location /out { more_set_headers "X-A: b"; return 200 x; } }`
  expect(ask(http, { path: '/in' }).outcome).toMatchObject({ kind: 'unknown' })
  expect(ask(http, { path: '/folder/' }).outcome).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('fancyindex') })
  expect(ask(http, { path: '/file' }).outcome).toMatchObject({ kind: 'file' })
  expect(ask(http, { path: '/echo' }).outcome).toMatchObject({ kind: 'handler', directive: 'echo' })
  expect(ask(http, { path: '/sub' }).outcome).toMatchObject({ kind: 'unknown' })
  const out = ask(http, { path: '/out' })
  expect([out.outcome.kind, out.cautions.map(({ message }) => message)]).toEqual(['answer', ['more_set_headers may change the answer']])
})

test('the method is asked for anew where an error page has made a GET of it', () => {
  const http = `server { listen 80; root /srv; set $before $request_method; error_page 404 =200 /e.html; add_header X-R "$before $request_method"; }`
  const files = (path: string) => (path === '/srv/e.html' ? 'file' : 'none')
  const { outcome, response_headers } = ask(http, { method: 'POST', path: '/gone', files })
  expect([outcome.kind, response_headers[0]?.value]).toEqual(['file', 'GET GET'])
})
