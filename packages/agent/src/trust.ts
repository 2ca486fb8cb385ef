import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import { certificateRequest } from './csr.ts'
import { type DataPaths, replaceFile } from './durable.ts'

export const masterName = 'nxmesh-master'

export interface Credentials {
  /** PEM of the CA that the master's certificate must come from. */
  ca: string
  /** What this agent proves itself with; without it, the token has to do. */
  client: { key: string; chain: string } | undefined
  token: string
}

export interface Trust {
  /** What to connect with. Asks the master for its CA when all that is known of it is the fingerprint in the token. */
  credentials(): Promise<Credentials>
  /** A request (DER) for a client certificate for this agent's own key. */
  request(): Promise<Buffer>
  /** Keeps a client certificate for all later connections. */
  keep(chain: string): Promise<void>
  /** Whether half of the client certificate's life is over, by this machine's clock alone. */
  renewalDue(): Promise<boolean>
}

/** Reads what an agent token says: whose it is and which CA its master has. */
export function readToken(token: string): { agent_id: string; ca: string } | undefined {
  const encoded = /^nxmesh_agent_([A-Za-z0-9_-]+)$/.exec(token.trim())?.[1]
  if (encoded === undefined) return undefined
  try {
    const { agent_id, ca } = JSON.parse(Buffer.from(encoded, 'base64url').toString()) as Record<string, unknown>
    return typeof agent_id === 'string' && typeof ca === 'string' ? { agent_id, ca: ca.toLowerCase() } : undefined
  } catch {
    return undefined
  }
}

/** Opens the agent's identity. `master` is `{ host, port }`; a token that names another agent than the certificate on disk starts a new identity. */
export async function openTrust(given: {
  paths: DataPaths
  master: { host: string; port: number }
  token: string | undefined
  caFile: string | undefined
}): Promise<Trust> {
  const { paths, master, caFile } = given
  const token = given.token?.trim() ?? ''
  const files = { key: join(paths.identity, 'key.pem'), chain: join(paths.identity, 'certificate.pem'), ca: join(paths.data, 'ca.pem') }
  const named = readToken(token)
  if (token !== '' && !named) throw new Error('the token is not an agent token: it must be given whole, as it was shown when it was made')

  const first = await readOptional(files.chain)
  if (named && first !== undefined && agentIdOf(first.text) !== named.agent_id) {
    await rm(files.chain)
    await rm(files.ca, { force: true })
  }

  async function authority(): Promise<string> {
    if (caFile !== undefined) return readFile(caFile, 'utf8')
    const kept = await readOptional(files.ca)
    if (kept) return kept.text
    if (!named) throw new Error('neither a token nor a CA file is given, so the master cannot be told from an impostor')
    const pem = await fetchAuthority(master, named.ca)
    await replaceFile(files.ca, pem)
    return pem
  }

  async function privateKey(): Promise<{ pem: string; key: KeyObject }> {
    const kept = await readOptional(files.key)
    if (kept) return { pem: kept.text, key: createPrivateKey(kept.text) }
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
    await replaceFile(files.key, pem)
    return { pem, key }
  }

  return {
    async credentials() {
      const ca = await authority()
      const kept = await readOptional(files.chain)
      const client = kept && { key: (await privateKey()).pem, chain: kept.text.slice(kept.text.indexOf('-----BEGIN')) }
      if (!client && token === '') throw new Error('this agent has no client certificate yet and no token to ask for one')
      return { ca, client, token: client ? '' : token }
    },
    async request() {
      return certificateRequest((await privateKey()).key)
    },
    async keep(chain) {
      const { key } = await privateKey()
      if (!new X509Certificate(chain).checkPrivateKey(key)) throw new Error("the master issued a certificate for another agent's key")
      await replaceFile(files.chain, `received ${Date.now()}\n${chain}`)
    },
    async renewalDue() {
      const kept = await readOptional(files.chain)
      return kept !== undefined && isHalfOver(kept.text, Date.now())
    },
  }
}

const day = 86_400_000

/** The certificate's life begins when it arrives: master and agent may disagree about the time, so it is dated a day back. */
export function isHalfOver(text: string, now: number): boolean {
  const received = Number(/^received (\d+)\n/.exec(text)?.[1] ?? 0)
  const { validFromDate, validToDate } = new X509Certificate(text.slice(text.indexOf('-----BEGIN')))
  const stated = validToDate.getTime() - validFromDate.getTime()
  const life = stated > day ? stated - day : stated
  return now < received || now - received >= life / 2
}

function agentIdOf(text: string): string | undefined {
  const { subjectAltName } = new X509Certificate(text.slice(text.indexOf('-----BEGIN')))
  return /URI:[^,]*?([0-9a-f-]{36})(?:,|$)/.exec(subjectAltName ?? '')?.[1]
}

/** Takes the CA out of the chain that the master shows, if it is the one whose fingerprint we were given. Nothing is sent on this connection. */
async function fetchAuthority({ host, port }: { host: string; port: number }, fingerprint: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<DetailedPeerCertificate>()
  // Without a list of its own Node would load the CAs of all the world into memory.
  const socket = connect({
    host,
    port,
    servername: masterName,
    ca: [],
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
  })
  socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer from ${host}:${port} within 10 s`)))
  socket.once('secureConnect', () => resolve(socket.getPeerCertificate(true)))
  socket.once('error', reject)
  try {
    let certificate: DetailedPeerCertificate | undefined = await promise
    const seen = new Set<string>()
    while (certificate?.raw && !seen.has(certificate.fingerprint256)) {
      seen.add(certificate.fingerprint256)
      if (createHash('sha256').update(certificate.raw).digest('hex') === fingerprint) return new X509Certificate(certificate.raw).toString()
      certificate = certificate.issuerCertificate
    }
    throw new Error(
      `the server at ${host}:${port} is not the master that the token is from: none of its certificates has the CA fingerprint ${fingerprint}`,
    )
  } finally {
    socket.destroy()
  }
}

async function readOptional(path: string): Promise<{ text: string } | undefined> {
  try {
    return { text: await readFile(path, 'utf8') }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
}
