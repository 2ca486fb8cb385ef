import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type RequestListener } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { causeOf, type MessageCause } from '../src/message-cause.ts'
import { readMessages } from '../src/nginx-messages.ts'
import { certificate } from './support/certificate.ts'
import { binaries, type NginxBinary } from './support/nginx-versions.ts'
import { exchange, get, serveFolder, temporaryFolder, wrap } from './support/real-nginx.ts'

/** What nginx logs while it serves this http block and is asked something; PORT is where it listens, FOLDER where its files are. */
async function logged(binary: NginxBinary, http: string, ask: (port: number) => Promise<unknown>): Promise<(MessageCause | undefined)[]> {
  using folder = temporaryFolder()
  const port = await freePort()
  mkdirSync(join(folder.path, 'empty'))
  writeFileSync(join(folder.path, 'c.pem'), certificate.certificate_pem)
  writeFileSync(join(folder.path, 'k.pem'), certificate.private_key_pem)
  const log = join(folder.path, 'error.log')
  const socket = join(folder.path, 's.sock')
  const own = `server { listen unix:${socket}; return 204; } error_log ${log} info;`
  const text = wrap(`${own} ${http.replaceAll('PORT', String(port)).replaceAll('FOLDER', folder.path)}`)
  writeFileSync(join(folder.path, 'n.conf'), text)
  {
    await using _nginx = await serveFolder(binary, folder.path, 'n.conf', socket)
    await ask(port)
  }
  return readMessages(readFileSync(log, 'latin1').replaceAll('[info]', '[warn]')).map(({ text: message }) => causeOf(message))
}

async function listening(server: Server): Promise<{ port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const server = (inside: string) => `server { listen 127.0.0.1:PORT; ${inside} }`
const location = (inside: string) => server(`location / { ${inside} }`)

/** An upstream that behaves badly in some way. */
const upstreams: Record<string, () => Server> = {
  silent: () => createServer(() => {}),
  closing: () => createServer((socket) => socket.on('data', () => socket.end())),
  speechless: () =>
    createServer((socket) => socket.on('data', () => socket.end('no http at all, but long enough to be sure of that\r\n\r\n'))),
  verbose: () => createHttp(answering({ 'x-long': 'x'.repeat(8000) })),
  plain: () => createHttp(answering({})),
}

function answering(headers: Record<string, string>): RequestListener {
  return (_request, response) => response.writeHead(200, headers).end('ok')
}

describe.each(binaries)('nginx $facts.version', (binary) => {
  test.each([
    ['upstream_timeout', 'silent', 'proxy_read_timeout 100ms; proxy_pass http://127.0.0.1:UP;'],
    ['upstream_closed', 'closing', 'proxy_pass http://127.0.0.1:UP;'],
    ['upstream_not_http', 'speechless', 'proxy_http_version 1.1; proxy_pass http://127.0.0.1:UP;'],
    ['upstream_header_too_big', 'verbose', 'proxy_buffer_size 4k; proxy_pass http://127.0.0.1:UP;'],
    ['upstream_handshake', 'plain', 'proxy_pass https://127.0.0.1:UP;'],
  ])('%s: of a %s upstream', async (code, kind, inside) => {
    await using upstream = await listening(upstreams[kind]!())
    const found = await logged(binary, location(inside.replace('UP', String(upstream.port))), (port) => get(port, '/'))
    expect(found.map((each) => each?.code)).toContain(code)
  })

  test.each<[string, string, (port: number) => Promise<unknown>]>([
    ['upstream_refused', location('proxy_pass http://127.0.0.1:1;'), (port) => get(port, '/')],
    ['upstream_socket', location('proxy_pass http://unix:/no/such.sock;'), (port) => get(port, '/')],
    ['no_live_upstreams', `upstream u { server 127.0.0.1:1 down; } ${location('proxy_pass http://u;')}`, (port) => get(port, '/')],
    ['no_resolver', location('set $to no-such.invalid; proxy_pass http://$to;'), (port) => get(port, '/')],
    ['invalid_url', location('set $to ""; proxy_pass $to;'), (port) => get(port, '/')],
    ['body_too_large', location('client_max_body_size 1k; return 200;'), (port) => posted(port, 2000)],
    ['buffered_to_disk', location('client_body_buffer_size 1k; proxy_pass http://127.0.0.1:1;'), (port) => posted(port, 20_000)],
    ['listing_forbidden', location('root FOLDER/empty;'), (port) => get(port, '/')],
    ['file_not_found', location('root FOLDER/empty;'), (port) => get(port, '/no.html')],
    ['access_denied', location('deny all;'), (port) => get(port, '/')],
    [
      'password_refused',
      location('auth_basic x; auth_basic_user_file FOLDER/c.pem; root /x;'),
      (port) => get(port, '/', 'a', 'Authorization: Basic YTpi\r\n'),
    ],
    [
      'limited',
      `limit_req_zone $host zone=z:1m rate=1r/m; ${location('limit_req zone=z; root /x;')}`,
      (port) => get(port, '/').then(() => get(port, '/')),
    ],
    ['redirection_cycle', server('location /a { rewrite ^ /b last; } location /b { rewrite ^ /a last; }'), (port) => get(port, '/a')],
    ['alias_after_rewrite', server('location /a { rewrite ^ /b break; alias /x/; }'), (port) => get(port, '/a')],
    ['variable_cycle', `map $a $b { default $a; } map $b $a { default $b; } ${location('return 200 $a;')}`, (port) => get(port, '/')],
    ['unknown_named_location', location('try_files /no @no;'), (port) => get(port, '/')],
    ['uninitialized_variable', server('location /a { set $x 1; } location / { return 200 $x; }'), (port) => get(port, '/')],
    [
      'plain_http_to_tls',
      'server { listen 127.0.0.1:PORT ssl; ssl_certificate c.pem; ssl_certificate_key k.pem; }',
      (port) => get(port, '/'),
    ],
    [
      'client_handshake',
      'server { listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2; ssl_certificate c.pem; ssl_certificate_key k.pem; }',
      refusedHandshake,
    ],
    ['bad_request', location('return 200;'), (port) => exchange(port, 'GET / HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n')],
  ])('%s', async (code, http, ask) => {
    const found = await logged(binary, http, ask)
    expect(found.map((each) => each?.code)).toContain(code)
  })

  test('port_in_use: another program has the port', async () => {
    await using other = await listening(createServer())
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'n.conf'), wrap(`server { listen 127.0.0.1:${other.port}; }`))
    const quiet = binary.facts.supports.error_log_option ? ['-e', 'stderr'] : []
    const { stderr } = spawnSync(binary.path, [...quiet, '-p', folder.path, '-c', join(folder.path, 'n.conf')], { encoding: 'utf8' })
    const causes = readMessages(stderr).map(({ text }) => causeOf(text))
    expect(new Set(causes.filter((each) => each?.code !== 'error_log_not_opened').map((each) => each?.code))).toEqual(
      new Set(['port_in_use']),
    )
    expect(causes.some((each) => each?.cause.includes(`127.0.0.1:${other.port}`))).toBe(true)
  })
})

async function posted(port: number, length: number): Promise<string> {
  return await exchange(port, `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`)
}

async function refusedHandshake(port: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, minVersion: 'TLSv1.3', rejectUnauthorized: false })
    socket.on('error', () => resolve())
    socket.on('secureConnect', () => resolve())
  })
}

test.each([
  ['bind() to 0.0.0.0:80 failed (13: Permission denied)', 'port_not_permitted'],
  ['socket() [::]:80 failed (97: Address family not supported by protocol)', 'no_ipv6'],
  ['open() "/etc/nginx/x.conf" failed (24: Too many open files)', 'too_many_files'],
  ['setrlimit(RLIMIT_NOFILE, 100000) failed (1: Operation not permitted)', 'limit_not_set'],
  ['the "user" directive makes sense only if the master process runs with super-user privileges, ignored', 'user_ignored'],
  ['pcre2_match() failed: -47 on "aaaa" using "(a+)+b"', 'regex_limit'],
  ['the "ssl" parameter requires ngx_http_ssl_module', 'missing_module'],
  ['load balancing method does not support resolving names at run time in upstream "u"', 'resolve_unsupported'],
  [
    'cannot load certificate key "/k.pem": BIO_new_file() failed (SSL: error:8000000D:system library::Permission denied)',
    'certificate_unreadable',
  ],
  ['open() "/run/nginx.pid" failed (13: Permission denied)', 'file_not_permitted'],
  ['open() "/var/log/x" failed (28: No space left on device)', 'no_space'],
  ['open() "/var/log/x" failed (30: Read-only file system)', 'read_only'],
  ['limit_req "z" uses the "$host" key while previously it used the "$binary_remote_addr" key', 'zone_changed'],
  ['cache "z" uses the "/b" cache path while previously it used the "/a" cache path', 'zone_changed'],
  ['4096 worker_connections exceed open file resource limit: 1024', 'connection_limit'],
  ['768 worker_connections are not enough', 'connections_exhausted'],
  ['module "/x/ngx_http_lua_module.so" version 1022001 instead of 1026003', 'module_mismatch'],
  ['invalid PID number "" in "/run/nginx.pid"', 'pid_file'],
  ['worker process 77 exited on signal 11', 'worker_crashed'],
  ['no-such.test could not be resolved (3: Host not found), client: 10.0.0.1, server: a', 'not_resolved'],
  ['upstream timed out (110: Connection timed out) while connecting to upstream, client: 10.0.0.1', 'upstream_timeout_connecting'],
  ['connect() failed (113: No route to host) while connecting to upstream, client: 10.0.0.1', 'upstream_unreachable'],
  [
    'upstream SSL certificate verify error: (20:unable to get local issuer certificate) while SSL handshaking to upstream',
    'upstream_certificate',
  ],
  ['SSL_CTX_use_certificate("/c.pem") failed (SSL: error:0A00018F:SSL routines::ee key too small)', 'weak_certificate'],
])('what cannot be provoked everywhere: %s', (message, code) => {
  expect(causeOf(message)?.code).toBe(code)
})

test('words that nginx does not say have no cause', () => {
  for (const message of [
    'is left out: port 443 speaks TLS for "Site"',
    'nothing is answered over plain HTTP',
    'signal process started',
    '',
  ])
    expect(causeOf(message)).toBeUndefined()
})
