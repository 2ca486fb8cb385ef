import { createHash, createPublicKey, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { selfSignedServer } from '../certificates.ts'
import { type IssuedCertificate, newIssuer } from './issuer.ts'
import { type AuthorityOrder, openOrderBook, profiles } from './orders.ts'
import { Refusal } from './refusal.ts'
import { shownAuthorization, shownOrder } from './shown.ts'
import { openSigned, type Signer } from './signed-request.ts'

export interface AuthorityOptions {
  now?: () => number
  /** It says that it is still at work on what a client asks for, as those that are busy do, and does it a moment later. */
  isBusy?: boolean
}

export interface Authority extends AsyncDisposable {
  directoryUrl: string
  /** The CA of its own address. */
  caPem: string
  orders: readonly AuthorityOrder[]
  /** The requests it got, as method and path with numbers left out, and the TLS connections they came over. */
  asked: string[]
  connections(): number
  /** How many of them are open. */
  open(): Promise<number>
  /** Refuses the next order for a name. */
  refuseNext(name: string, refusal: Refusal): void
  /** When it wants certificates renewed; where there is nothing it does not know the certificate. */
  windowOf: (certificate: IssuedCertificate) => { start: number; end: number } | undefined
  /** What it says of when it wants to be asked again for that. */
  askAgain: string | undefined
  /** What certificates are held back for. */
  handsOut: Promise<void>
}

interface Answer {
  status?: number
  headers?: Record<string, string>
  body?: object | string
}

/**
 * An ACME server (RFC 8555) with renewal information (RFC 9773) and profiles: it verifies what is signed, takes each nonce once and issues
 * certificates, and believes every name to be whose it is told.
 */
export async function startAuthority({ now = Date.now, isBusy = false }: AuthorityOptions = {}): Promise<Authority> {
  const own = await selfSignedServer(['127.0.0.1'])
  const issuer = await newIssuer(now())
  const book = openOrderBook(issuer, now)
  const accounts = new Map<string, Signer>()
  const nonces = new Set<string>()
  const asked: string[] = []
  const refusals = new Map<string, Refusal>()
  let connections = 0

  const server = createServer({ key: own.keyPem, cert: own.certPem }, (request, response) => void listen(request, response))
  server.on('secureConnection', () => connections++)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const base = `https://127.0.0.1:${(server.address() as AddressInfo).port}`

  const authority: Authority = {
    directoryUrl: `${base}/directory`,
    caPem: own.certPem,
    orders: book.orders,
    asked,
    connections: () => connections,
    open: async () => new Promise((counted, failed) => server.getConnections((error, count) => (error ? failed(error) : counted(count)))),
    refuseNext: (name, refusal) => void refusals.set(name, refusal),
    windowOf: () => undefined,
    askAgain: '21600',
    handsOut: Promise.resolve(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((closed) => void server.close(() => closed()))
    },
  }

  async function listen(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const path = request.url!.slice(1)
    asked.push(
      `${request.method} ${path
        .split('/')
        .filter((part) => /^[a-z-]+$/.test(part))
        .join('/')}`,
    )
    const { status = 200, headers = {}, body = '' } = await answerTo(request, path, Buffer.concat(chunks).toString('utf8'))
    if (request.method !== 'GET') response.setHeader('replay-nonce', newNonce())
    const [type, text] = typeof body === 'string' ? ['application/pem-certificate-chain', body] : ['application/json', JSON.stringify(body)]
    // Without a length, Node closes the connection after an answer that has no body.
    const length = Buffer.byteLength(text)
    response.writeHead(status, { 'content-type': type, 'content-length': length, ...headers }).end(text)
  }

  async function answerTo({ method, headers }: IncomingMessage, path: string, body: string): Promise<Answer> {
    try {
      if (method !== 'POST') return read(path)
      const { signer, payload } = openSigned(body, {
        url: `${base}/${path}`,
        contentType: headers['content-type'],
        byKey: path === 'new-account',
        takeNonce: (nonce) => nonces.delete(nonce),
        signerOf: (account) => accounts.get(account),
      })
      return await post(path, signer, payload)
    } catch (error) {
      const { status, type, message, headers: more } = error instanceof Refusal ? error : new Refusal(400, 'malformed', String(error))
      return { status, headers: more, body: { type: `urn:ietf:params:acme:error:${type}`, detail: message } }
    }
  }

  function read(path: string): Answer {
    const [place, id = ''] = path.split('/')
    if (place === 'new-nonce') return {}
    if (place === 'directory') {
      const urls = { newNonce: `${base}/new-nonce`, newAccount: `${base}/new-account`, newOrder: `${base}/new-order` }
      const named = Object.fromEntries(Object.entries(profiles).map(([name, life]) => [name, `lives ${life / 86_400_000} days`]))
      return { body: { ...urls, renewalInfo: `${base}/renewal-info`, meta: { profiles: named } } }
    }
    const certificate = place === 'renewal-info' ? book.issued.get(id)?.certificate : undefined
    const window = certificate && authority.windowOf(certificate)
    if (!window) throw new Refusal(404, 'malformed', `nothing at ${path}`)
    const suggestedWindow = { start: new Date(window.start).toISOString(), end: new Date(window.end).toISOString() }
    return { body: { suggestedWindow }, headers: authority.askAgain === undefined ? {} : { 'retry-after': authority.askAgain } }
  }

  async function post(path: string, signer: Signer, payload: unknown): Promise<Answer> {
    if (path === 'new-account') return registered(signer)
    if (path === 'new-order') {
      const number = book.add(signer.account!, payload, refusals)
      return { status: 201, headers: { location: `${base}/order/${number}` }, body: shownOrder(base, number, book.orders[number]!) }
    }
    const [place, number, index] = path.split('/')
    const order = book.orders[Number(number)]
    if (!order || order.account !== signer.account) throw new Refusal(404, 'malformed', `nothing at ${path}`)
    if (place === 'order') return { body: shownOrder(base, Number(number), order) }
    if (place === 'authorization') return { body: shownAuthorization(base, Number(number), order, Number(index)) }
    if (place === 'challenge') return prove(order, Number(number), Number(index))
    if (place === 'finalize') return finalize(order, Number(number), payload)
    if (place === 'certificate' && order.certificate) {
      await authority.handsOut
      return { body: order.certificate.chainPem }
    }
    throw new Refusal(404, 'malformed', `nothing at ${path}`)
  }

  function registered(signer: Signer): Answer {
    const url = `${base}/account/${createHash('sha256').update(JSON.stringify(signer.jwk)).digest('hex')}`
    const status = accounts.has(url) ? 200 : 201
    accounts.set(url, { ...signer, account: url, key: createPublicKey({ key: signer.jwk, format: 'jwk' }) })
    return { status, headers: { location: url }, body: { status: 'valid' } }
  }

  async function prove(order: AuthorityOrder, number: number, index: number): Promise<Answer> {
    const authorization = order.authorizations[index]!
    authorization.isAsked = true
    await soon(async () => {
      authorization.status = 'valid'
      if (order.authorizations.every(({ status }) => status === 'valid')) order.status = 'ready'
    })
    return { body: shownAuthorization(base, number, order, index).challenges[0]! }
  }

  async function finalize(order: AuthorityOrder, number: number, payload: unknown): Promise<Answer> {
    if (order.status !== 'ready') throw new Refusal(403, 'orderNotReady', `it is ${order.status}`)
    order.status = 'processing'
    const csr = new Uint8Array(Buffer.from((payload as { csr: string }).csr, 'base64url'))
    await soon(() => book.issue(order, csr))
    return { body: shownOrder(base, number, order) }
  }

  async function soon(work: () => Promise<void>): Promise<void> {
    if (isBusy) setTimeout(() => void work(), 100)
    else await work()
  }

  function newNonce(): string {
    const nonce = randomBytes(16).toString('base64url')
    nonces.add(nonce)
    return nonce
  }

  return authority
}
