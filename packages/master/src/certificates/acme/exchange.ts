import { createPrivateKey } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { FlattenedSign } from 'jose'
import { openConnections } from '../../outbound/connections.ts'
import type { Outbound, OutboundAnswer } from '../../outbound/outbound.ts'
import { troubleOf } from '../../outbound/trouble.ts'
import { publicJwk } from './account-key.ts'
import { type AcmeResult, ownProblem, readProblem } from './problem.ts'

export interface AcmeAnswer {
  headers: IncomingHttpHeaders
  body: Buffer
  /** The body read as JSON; undefined where it is none. */
  json: unknown
  /** From Retry-After, in milliseconds since the epoch. */
  retryAt: number | null
}

/** Who signs: an account by its URL, or a key that the server may not know. */
export type Signer = { keyPem: string; url: string | null }

export interface Exchange {
  get(url: string): Promise<AcmeResult<AcmeAnswer>>
  /** A signed request; `payload` undefined reads (POST-as-GET). Source: RFC 8555 section 6.2. */
  post(url: string, signer: Signer, payload: object | undefined): Promise<AcmeResult<AcmeAnswer>>
}

interface ExchangeSettings {
  outbound: Outbound
  ca: string | undefined
  now: () => number
  signal: AbortSignal
  newNonceUrl: () => Promise<AcmeResult<string>>
}

const timeout = 30_000
const mostRead = 500_000
const mostNonces = 50
const mostBadNonces = 6
const tooLate = `no answer within ${timeout / 1000} s`
const headers = { 'user-agent': 'NxMesh', 'accept-language': 'en' }

/** Requests as ACME wants them: signed, each with a nonce of the server's; a nonce that it does not take is no failure. */
export function openExchange({ outbound, ca, now, signal: stopped, newNonceUrl }: ExchangeSettings): Exchange {
  const nonces: string[] = []
  const connections = openConnections()
  stopped.addEventListener('abort', () => connections.close())

  async function send(method: 'GET' | 'HEAD' | 'POST', url: string, body?: string): Promise<AcmeResult<OutboundAnswer>> {
    const type = body === undefined ? {} : { 'content-type': 'application/jose+json' }
    const late = AbortSignal.timeout(timeout)
    const signal = AbortSignal.any([late, stopped])
    try {
      const sent = {
        method,
        url,
        headers: { ...headers, ...type },
        signal,
        mostRead,
        ca,
        connections,
        ...(body === undefined ? {} : { body }),
      }
      const answer = await outbound.exchange(sent)
      if (answer.whole || !isSuccess(answer)) return { ok: true, value: answer }
      if (answer.body.length === mostRead) return ownProblem('malformedAnswer', `the answer has more than ${mostRead} bytes`)
      return ownProblem('unreachable', late.aborted ? tooLate : 'the answer was cut off')
    } catch (error) {
      return ownProblem('unreachable', late.aborted ? tooLate : troubleOf(error))
    }
  }

  function keepNonce(answer: OutboundAnswer): void {
    const nonce = nonceIn(answer)
    if (nonce !== undefined && nonces.length < mostNonces) nonces.push(nonce)
  }

  async function nonceOf(): Promise<AcmeResult<string>> {
    const kept = nonces.pop()
    if (kept !== undefined) return { ok: true, value: kept }
    const url = await newNonceUrl()
    if (!url.ok) return url
    const asked = await send('HEAD', url.value)
    if (!asked.ok) return asked
    const told = read(asked.value)
    if (!told.ok) return told
    // It goes to who asked for it: other steps take from the others meanwhile.
    const nonce = nonceIn(asked.value)
    return nonce === undefined ? ownProblem('malformedAnswer', 'no nonce in the answer') : { ok: true, value: nonce }
  }

  function read(answer: OutboundAnswer): AcmeResult<AcmeAnswer> {
    const { status, headers: told, body } = answer
    const json = parsed(body)
    const retryAt = retryTime(told['retry-after'], now())
    if (!isSuccess(answer)) return { ok: false, problem: readProblem(json, status, retryAt) }
    return { ok: true, value: { headers: told, body, json, retryAt } }
  }

  return {
    async get(url) {
      const answer = await send('GET', url)
      if (!answer.ok) return answer
      keepNonce(answer.value)
      return read(answer.value)
    },
    async post(url, signer, payload) {
      for (let tries = 1; ; tries++) {
        const nonce = await nonceOf()
        if (!nonce.ok) return nonce
        const answer = await send('POST', url, await signed(url, signer, nonce.value, payload))
        if (!answer.ok) return answer
        keepNonce(answer.value)
        const result = read(answer.value)
        if (result.ok || result.problem.type !== 'badNonce' || tries === mostBadNonces) return result
      }
    },
  }
}

/** A JWS over a payload by an account, or by a key alone. Without a nonce it is the inner one of a key change. */
export async function signed(
  url: string,
  { keyPem, url: account }: Signer,
  nonce: string | undefined,
  payload: object | undefined,
): Promise<string> {
  const text = payload === undefined ? '' : JSON.stringify(payload)
  const who = account === null ? { jwk: publicJwk(keyPem) } : { kid: account }
  const sign = new FlattenedSign(Buffer.from(text)).setProtectedHeader({
    alg: 'ES256',
    url,
    ...who,
    ...(nonce === undefined ? {} : { nonce }),
  })
  return JSON.stringify(await sign.sign(createPrivateKey(keyPem)))
}

function isSuccess({ status }: OutboundAnswer): boolean {
  return status >= 200 && status < 300
}

function nonceIn({ headers: told }: OutboundAnswer): string | undefined {
  const nonce = told['replay-nonce']
  return typeof nonce === 'string' && /^[A-Za-z0-9_-]+$/.test(nonce) ? nonce : undefined
}

// Seconds, or a date (RFC 9110 section 10.2.3).
function retryTime(header: string | undefined, now: number): number | null {
  if (header === undefined) return null
  if (/^\d{1,9}$/.test(header)) return now + Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? null : date
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
