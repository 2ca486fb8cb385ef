import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { selfSignedServer } from './certificates.ts'
import { freePort } from './ports.ts'
import { until } from './until.ts'

export interface PebbleOptions {
  directory: string
  /** Where HTTP-01 challenges are looked for. */
  httpPort?: number
  /** `address:port` of the DNS that the validator asks; its own challenge server where none is named, for which every name is 127.0.0.1. */
  dnsServer?: string
  /** Seconds that a certificate is good for. */
  validity?: number
  eab?: { kid: string; hmacKey: string }
  /** Percent of good nonces that are refused. */
  nonceReject?: number
  /** Percent of authorizations that are used again. */
  authzReuse?: number
  /** Seconds for which the validator waits before it looks. */
  slow?: number
}

/** Let's Encrypt's test server, with a DNS server for its validator. */
export interface Pebble extends AsyncDisposable {
  directoryUrl: string
  /** The CA of its own address. */
  caPem: string
  /** `address:port` of the challenge server's DNS. */
  dns: string
  /** The roots of the certificates that it has issued since it started. */
  roots(): Promise<string>
  /** What it wrote. */
  output(): string
  /** Certificates it has issued, and accounts it has made, since it was first started. */
  issued(): number
  accounts(): number
  /** Says where a name leads. */
  setAddresses(name: string, addresses: string[]): Promise<void>
  /** What it says of a certificate by its serial number: Valid or Revoked. */
  statusOf(serial: string): Promise<string>
  stop(): Promise<void>
  /** Starts it again on the same ports; it has forgotten everything. */
  start(): Promise<void>
}

/** Starts pebble and pebble-challtestsrv of the distribution on free ports. */
export async function startPebble(options: PebbleOptions): Promise<Pebble> {
  const { directory, httpPort = 5002, validity = 90 * 86_400, eab, nonceReject = 0, authzReuse = 0, slow = 0 } = options
  const address = '127.0.0.1'
  await mkdir(directory, { recursive: true })
  const [port, management, dns, control] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const own = await selfSignedServer([address, 'localhost'])
  const [certificate, privateKey, file] = ['pebble.pem', 'pebble.key', 'pebble.json'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ]
  await writeFile(certificate, own.certPem)
  await writeFile(privateKey, own.keyPem)
  const addresses = { listenAddress: `${address}:${port}`, managementListenAddress: `${address}:${management}`, httpPort, tlsPort: 5001 }
  const binding = eab ? { externalAccountBindingRequired: true, externalAccountMACKeys: { [eab.kid]: eab.hmacKey } } : {}
  const pebble = { ...addresses, certificate, privateKey, ocspResponderURL: '', certificateValidityPeriod: validity, ...binding }
  await writeFile(file, JSON.stringify({ pebble }))
  const log: string[] = []

  function run(command: string[], env: Record<string, string> = {}) {
    const [program, ...args] = command as [string, ...string[]]
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => log.push(text))
    return child
  }

  const off = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', '']
  const challenges = run([
    'pebble-challtestsrv',
    '-dns01',
    `${address}:${dns}`,
    '-management',
    `${address}:${control}`,
    '-defaultIPv4',
    address,
    ...off,
  ])
  let server: ReturnType<typeof run> | undefined

  const get = (path: string, at = port) =>
    new Promise<string>((resolve, reject) => {
      const call = request({ host: address, port: at, path, ca: own.certPem }, (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        answer.on('end', () => resolve(text))
      })
      call.on('error', reject).end()
    })

  async function start() {
    const env = {
      PEBBLE_WFE_NONCEREJECT: String(nonceReject),
      PEBBLE_AUTHZREUSE: String(authzReuse),
      ...(slow > 0 ? { PEBBLE_VA_SLEEPTIME: String(slow) } : { PEBBLE_VA_NOSLEEP: '1' }),
    }
    server = run(['pebble', '-config', file, '-dnsserver', options.dnsServer ?? `${address}:${dns}`, ...(eab ? ['-strict'] : [])], env)
    await until('pebble to answer', () => get('/dir').then((text) => text.includes('newOrder')), 20)
  }

  async function end(child: ReturnType<typeof run> | undefined) {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  await start()
  const count = (pattern: RegExp) => [...log.join('').matchAll(pattern)].length
  return {
    directoryUrl: `https://${address}:${port}/dir`,
    caPem: own.certPem,
    dns: `${address}:${dns}`,
    roots: async () => `${await get('/roots/0', management)}\n`,
    output: () => log.join(''),
    issued: () => count(/Issued certificate serial/g),
    accounts: () => count(/There are now \d+ accounts in memory/g),
    async setAddresses(name, addresses) {
      for (const [path, body] of [
        ['clear-a', { host: `${name}.` }],
        ['add-a', { host: `${name}.`, addresses }],
      ] as const) {
        await fetch(`http://${address}:${control}/${path}`, { method: 'POST', body: JSON.stringify(body) })
      }
    },
    async statusOf(serial) {
      const { Status } = JSON.parse(await get(`/cert-status-by-serial/${serial.toLowerCase()}`, management)) as { Status: string }
      return Status
    },
    stop: () => end(server),
    start,
    async [Symbol.asyncDispose]() {
      await end(server)
      await end(challenges)
    },
  }
}
