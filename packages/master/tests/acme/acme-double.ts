import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { type Receiver, startReceiver } from '../notifications/receiver.ts'

export type Answer = (response: ServerResponse) => void

/** A signed request, opened. */
export interface Asked {
  path: string
  header: Record<string, unknown>
  payload: unknown
}

export interface AcmeDouble extends Receiver {
  base: string
  directoryUrl: string
  /** Puts answers before the usual ones of a path, one after the other. */
  next(path: string, ...answers: Answer[]): void
  /** Those requests that were signed. */
  asked(): Asked[]
}

/** An ACME server that does as it is told, for what real ones do only now and then; it takes each nonce once. */
export async function startAcmeDouble(more: (base: string) => object = () => ({})): Promise<AcmeDouble> {
  const waiting = new Map<string, Answer[]>()
  const nonces = new Set<string>()
  const usual: Record<string, Answer> = {
    '/dir': (response) =>
      json(200, {
        ...Object.fromEntries(['newNonce', 'newAccount', 'newOrder', 'revokeCert', 'keyChange'].map((name) => [name, `${base}/${name}`])),
        ...more(base),
      })(response),
    '/newAccount': (response) => json(201, { status: 'valid' }, { location: `${base}/account/1` })(response),
    '/newOrder': (response) => json(201, order(base), { location: `${base}/order/1` })(response),
    '/order/1': (response) => json(200, order(base))(response),
    '/newNonce': json(200, {}),
  }
  const receiver = await startReceiver((response, _count, { path, method, body }) => {
    if (method !== 'GET') {
      const nonce = randomBytes(9).toString('base64url')
      nonces.add(nonce)
      response.setHeader('replay-nonce', nonce)
    }
    const told = waiting.get(path)?.shift()
    if (told) return told(response)
    if (method === 'POST' && !nonces.delete(String(open(path, body).header['nonce']))) return problem(400, 'badNonce')(response)
    return (usual[path] ?? problem(404, 'malformed'))(response)
  })
  const base = `http://127.0.0.1:${receiver.port}`
  return {
    ...receiver,
    base,
    directoryUrl: `${base}/dir`,
    next: (path, ...answers) => void waiting.set(path, [...(waiting.get(path) ?? []), ...answers]),
    asked: () => receiver.heard.filter(({ method }) => method === 'POST').map(({ path, body }) => open(path, body)),
  }
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return (response) => void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

export function problem(status: number, type: string, headers: Record<string, string> = {}): Answer {
  return json(status, { type: `urn:ietf:params:acme:error:${type}`, detail: 'as the test wants it' }, headers)
}

/** What stands before a server that is down. */
export function page(status: number, headers: Record<string, string> = {}): Answer {
  return (response) => void response.writeHead(status, { 'content-type': 'text/html', ...headers }).end('<html><h1>Sorry</h1></html>')
}

export function order(base: string) {
  return { status: 'pending', authorizations: [`${base}/authorization/1`], finalize: `${base}/finalize/1` }
}

function open(path: string, body: string): Asked {
  const { protected: header, payload } = JSON.parse(body) as { protected: string; payload: string }
  const text = Buffer.from(payload, 'base64url').toString('utf8')
  return {
    path,
    header: JSON.parse(Buffer.from(header, 'base64url').toString('utf8')),
    payload: text === '' ? undefined : JSON.parse(text),
  }
}
