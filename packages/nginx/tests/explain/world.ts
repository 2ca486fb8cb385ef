import { writeFileSync } from 'node:fs'
import { connect, isIP } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { freePort } from '@nxmesh/testkit/ports'
import { chooseSocket } from '../../src/explain/choose-server.ts'
import { explain } from '../../src/explain/explain.ts'
import { readConfig } from '../../src/explain/read-config.ts'
import { type Config, compileConfig } from '../../src/explain/servers.ts'
import { certificate } from '../support/certificate.ts'
import type { NginxBinary } from '../support/nginx-versions.ts'
import { serveHttp, temporaryFolder } from '../support/real-nginx.ts'
import { type Backends, startBackends } from './backends.ts'
import { differenceOf, type Seen } from './compare.ts'
import type { Scenario } from './generate.ts'
import type { Ask } from './requests.ts'
import { writeSite } from './site.ts'

export interface Disagreement {
  nginx: string
  ask: Asked
  difference: string
  told: unknown
}

export interface Count {
  /** By how the request ended, or by what it was handed on, as explain says. */
  outcomes: Map<string, number>
  /** Over TLS, and over IPv6. */
  https: number
  ipv6: number
  /** With a header of the PROXY protocol that was expected. */
  proxied: number
}

/** What stands around generated configurations: files and an upstream that tells what it was asked. */
export interface World extends AsyncDisposable {
  root: string
  /** The file with the certificate and its key. */
  certificate: string
  backends: Backends
  files: ReturnType<typeof writeSite>
}

export async function makeWorld(): Promise<World> {
  const folder = temporaryFolder()
  const root = join(folder.path, 'site')
  const backends = await startBackends()
  const files = writeSite(root)
  const pem = join(folder.path, 'site.pem')
  writeFileSync(pem, certificate.certificate_pem + certificate.private_key_pem)
  return {
    root,
    certificate: pem,
    files,
    backends,
    [Symbol.asyncDispose]: async () => {
      await backends[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}

/** Asks a real nginx and explain the same; gives where they disagree. */
export async function askBoth(world: World, binary: NginxBinary, { http, requests }: Scenario, count: Count): Promise<Disagreement[]> {
  const ports = { 1: await freePort(), 2: 0 }
  do ports[2] = await freePort()
  while (ports[2] === ports[1])
  const filled = http
    .replaceAll('{P1}', `${ports[1]}`)
    .replaceAll('{P2}', `${ports[2]}`)
    .replaceAll('{ROOT}', world.root)
    .replaceAll('{BACKEND}', world.backends.http)
    .replace(/\{(GRPC|FASTCGI|UWSGI|SCGI)\}/g, (_, name: string) => world.backends[name.toLowerCase() as 'grpc'])
    .replaceAll('{CERT}', world.certificate)
    .replaceAll('{REJECT}', binary.facts.supports.reject_handshake ? 'ssl_reject_handshake on;' : '')
  await using _nginx = await serveHttp(binary, (socket) => `server { listen unix:${socket}; return 200 ready; }\n${filled}`)
  const read = readConfig(new Map([['http.conf', filled]]), 'http.conf', true)
  if (!read.ok) throw new Error(read.message)
  const config = compileConfig(read.http)
  const disagreements: Disagreement[] = []
  for (const wanted of requests) {
    const ask = listenedTo(config, ports, wanted)
    const port = ports[ask.port]
    const seen = await send(ask, port)
    const headers = new Map(ask.headers.map(([name, value]) => [name.toLowerCase(), [value]]))
    headers.set('connection', ['close'])
    const { method, scheme, host, path, source, destination, proxied } = ask
    const incoming = { method, scheme, host, port, path, headers, source, destination, proxied, files: world.files }
    const told = explain(config, incoming, (node) => (node ? { file: node.file, line: node.line, directive: node.name } : null))
    const difference = differenceOf(told, seen, method)
    const outcome = told.outcome.kind === 'proxy' ? told.outcome.directive : told.outcome.kind
    count.outcomes.set(outcome, (count.outcomes.get(outcome) ?? 0) + 1)
    if (scheme === 'https') count.https++
    if (source.includes(':')) count.ipv6++
    if (proxied !== undefined && told.outcome.kind !== 'closed') count.proxied++
    if (difference !== undefined) disagreements.push({ nginx: binary.facts.version, ask, difference, told })
  }
  return disagreements
}

type Asked = Omit<Ask, 'scheme' | 'proxied'> & { scheme: 'http' | 'https'; proxied: string | undefined }

const proxiedOf = (path: string) => ['192.0.2.7', '127.0.0.2', '2001:db8::7'][path.length % 3]

/** A request to what the configuration listens on, as any other port may be a neighbour's, in what is spoken there unless it asks for something else. */
function listenedTo({ servers }: Config, ports: Record<1 | 2, number>, wanted: Ask): Asked {
  const others = ([1, 2] as const).flatMap((port) =>
    ['127.0.0.1', '127.0.0.2', '::1'].map((destination) => ({ ...wanted, port, destination })),
  )
  for (const ask of [wanted, ...others]) {
    const source = ask.destination === '::1' ? '::1' : ask.source
    const socket = chooseSocket(servers, ports[ask.port], source, ask.destination)
    if (!socket) continue
    const wants = socket.proxyProtocol ? proxiedOf(ask.path) : undefined
    const proxied = ask.proxied === undefined ? wants : (ask.proxied ?? undefined)
    return { ...ask, source, proxied, scheme: ask.scheme ?? (socket.ssl ? 'https' : 'http') }
  }
  throw new Error('the configuration listens on nothing')
}

async function send({ method, scheme, host, path, headers, source, destination, proxied }: Asked, port: number): Promise<Seen | undefined> {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const length = Number(headers.find(([name]) => name === 'Content-Length')?.[1] ?? 0)
  const request = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${lines}\r\n${'x'.repeat(length)}`
  const answer = await new Promise<string>((resolve, reject) => {
    const line = connect({ port, host: destination, localAddress: source })
    const family = proxied?.includes(':') ? ['TCP6', '::1'] : ['TCP4', '127.0.0.1']
    if (proxied !== undefined) line.write(`PROXY ${family[0]} ${proxied} ${family[1]} 40000 80\r\n`)
    const connection = scheme === 'https' ? connectTls({ socket: line, ...serverNameOf(host), rejectUnauthorized: false }) : line
    const parts: Buffer[] = []
    connection.on('data', (data) => parts.push(data))
    connection.on('error', (error: NodeJS.ErrnoException) => {
      if (!/^(ECONNREFUSED|ECONNRESET|EPROTO|ERR_SSL_.*)$/.test(error.code ?? '')) reject(error)
    })
    connection.setTimeout(10_000, () => reject(new Error(`no answer to ${method} ${path}`)))
    connection.on('close', () => resolve(Buffer.concat(parts).toString('utf8')))
    connection.write(request)
  })
  if (answer === '') return undefined
  const [head = '', ...rest] = answer.split('\r\n\r\n')
  const [first = '', ...fields] = head.split('\r\n')
  const chunked = /^transfer-encoding: chunked$/im.test(head)
  const body = rest.join('\r\n\r\n')
  return {
    status: Number(first.split(' ')[1]),
    headers: fields.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
    body: chunked ? unchunk(body) : body,
  }
}

/** What a client greets with: the host without its port and the dot at its end, unless it is an address or no name at all. */
function serverNameOf(host: string): { servername?: string } {
  const name = host.replace(/:\d*$/, '').replace(/\.$/, '')
  return /^[\w-]+(\.[\w-]+)*$/.test(name) && !isIP(name) ? { servername: name } : {}
}

function unchunk(body: string): string {
  let text = ''
  for (let rest = body; ; ) {
    const [size = ''] = rest.split('\r\n', 1)
    const length = Number.parseInt(size, 16)
    if (!(length > 0)) return text
    text += rest.slice(size.length + 2, size.length + 2 + length)
    rest = rest.slice(size.length + 2 + length + 2)
  }
}
