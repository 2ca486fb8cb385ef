import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { FlattenedSign } from 'jose'
import type { z } from 'zod'
import type { Outbound } from '../../outbound/outbound.ts'
import { publicJwk } from './account-key.ts'
import { renewalInfoId } from './ari.ts'
import { type AcmeAnswer, openExchange, type Signer, signed } from './exchange.ts'
import { type AcmeProblem, type AcmeResult, ownProblem, readProblem } from './problem.ts'
import { wire } from './wire.ts'

export interface AcmeAccount {
  url: string
  keyPem: string
}

export interface AcmeOrder {
  url: string
  status: z.infer<typeof wire.order>['status']
  authorizations: string[]
  finalize: string
  certificate: string | null
  problem: AcmeProblem | null
  /** When the server wants to be asked again, in milliseconds since the epoch. */
  retryAt: number | null
}

export interface AcmeChallenge {
  type: string
  url: string
  token: string
  status: string
  problem: AcmeProblem | null
}

export interface AcmeAuthorization {
  url: string
  /** Without the `*.` of a wildcard. */
  name: string
  wildcard: boolean
  status: z.infer<typeof wire.authorization>['status']
  challenges: AcmeChallenge[]
  retryAt: number | null
}

export interface AcmeDirectory {
  caaIdentities: string[]
  externalAccountRequired: boolean
  /** Descriptions by name. */
  profiles: Record<string, string>
  hasRenewalInfo: boolean
}

/** When a CA wants a certificate renewed. */
export interface RenewalInfo {
  start: string
  end: string
  retryAt: number | null
}

/** One ACME server (RFC 8555). Each method is one step; whoever calls it waits between them. */
export interface AcmeClient {
  directory(): Promise<AcmeResult<AcmeDirectory>>
  /** Makes the account of a key, or finds it where the server has it already. */
  register(
    keyPem: string,
    options: { email: string | null; eab: { kid: string; hmacKey: string } | null },
  ): Promise<AcmeResult<AcmeAccount>>
  /** Finds the account of a key; `accountDoesNotExist` where there is none. */
  find(keyPem: string): Promise<AcmeResult<AcmeAccount>>
  /** `replaces`: the certificate (PEM) that is renewed; said only to servers with renewal information. */
  newOrder(
    account: AcmeAccount,
    options: { names: string[]; profile: string | null; replaces: string | null },
  ): Promise<AcmeResult<AcmeOrder>>
  order(account: AcmeAccount, url: string): Promise<AcmeResult<AcmeOrder>>
  authorization(account: AcmeAccount, url: string): Promise<AcmeResult<AcmeAuthorization>>
  /** Tells the server to look at a challenge. */
  respond(account: AcmeAccount, challengeUrl: string): Promise<AcmeResult<undefined>>
  finalize(account: AcmeAccount, order: Pick<AcmeOrder, 'url' | 'finalize'>, csrDer: Uint8Array): Promise<AcmeResult<AcmeOrder>>
  /** The chain as PEM, leaf first. */
  certificate(account: AcmeAccount, url: string): Promise<AcmeResult<string>>
  /** `reason` by the numbers of RFC 5280 section 5.3.1. */
  revoke(account: AcmeAccount, certificatePem: string, reason: number): Promise<AcmeResult<undefined>>
  rollKey(account: AcmeAccount, newKeyPem: string): Promise<AcmeResult<undefined>>
  /** When the server wants a certificate renewed; null where it does not say. Source: RFC 9773. */
  renewalInfo(certificatePem: string): Promise<AcmeResult<RenewalInfo | null>>
}

export interface AcmeClientSettings {
  directoryUrl: string
  outbound: Outbound
  /** PEM of the CA of the server's own address, where it is not one that everybody trusts. */
  ca: string | undefined
  now: () => number
  /** Breaks off every request. */
  signal?: AbortSignal
}

type Wire = z.infer<typeof wire.directory>

const directoryGoodFor = 3_600_000

export function openAcmeClient({ directoryUrl, outbound, ca, now, signal = new AbortController().signal }: AcmeClientSettings): AcmeClient {
  let known: { at: number; directory: Wire } | undefined
  const exchange = openExchange({ outbound, ca, now, signal, newNonceUrl: () => addressOf('newNonce') })

  async function directory(): Promise<AcmeResult<Wire>> {
    if (known && now() - known.at < directoryGoodFor) return { ok: true, value: known.directory }
    const read = parse(wire.directory, await exchange.get(directoryUrl))
    if (!read.ok) return read
    known = { at: now(), directory: read.value.body }
    return { ok: true, value: known.directory }
  }

  async function addressOf(name: 'newNonce' | 'newAccount' | 'newOrder' | 'revokeCert' | 'keyChange'): Promise<AcmeResult<string>> {
    const found = await directory()
    if (!found.ok) return found
    const url = found.value[name]
    return url ? { ok: true, value: url } : ownProblem('malformedAnswer', `the directory has no ${name}`)
  }

  async function postTo(name: Parameters<typeof addressOf>[0], signer: Signer, payload: object): Promise<AcmeResult<AcmeAnswer>> {
    const url = await addressOf(name)
    return url.ok ? exchange.post(url.value, signer, payload) : url
  }

  async function account(keyPem: string, payload: object): Promise<AcmeResult<AcmeAccount>> {
    const answer = await postTo('newAccount', { keyPem, url: null }, payload)
    if (!answer.ok) return answer
    const url = located(answer.value)
    return url === undefined ? ownProblem('malformedAnswer', 'no address of the account') : { ok: true, value: { url, keyPem } }
  }

  function orderOf(answer: AcmeResult<AcmeAnswer>, address?: string): AcmeResult<AcmeOrder> {
    const read = parse(wire.order, answer)
    if (!read.ok) return read
    const { body, answer: whole } = read.value
    const url = address ?? located(whole)
    if (url === undefined) return ownProblem('malformedAnswer', 'no address of the order')
    const { status, authorizations, finalize, certificate, error } = body
    const { retryAt } = whole
    return { ok: true, value: { url, status, authorizations, finalize, certificate: certificate ?? null, problem: within(error), retryAt } }
  }

  return {
    async directory() {
      const found = await directory()
      if (!found.ok) return found
      const { meta, renewalInfo } = found.value
      return {
        ok: true,
        value: {
          caaIdentities: meta?.caaIdentities ?? [],
          externalAccountRequired: meta?.externalAccountRequired ?? false,
          profiles: meta?.profiles ?? {},
          hasRenewalInfo: Boolean(renewalInfo),
        },
      }
    },
    async register(keyPem, { email, eab }) {
      const contact = email === null ? {} : { contact: [`mailto:${email}`] }
      const url = await addressOf('newAccount')
      if (!url.ok) return url
      const binding = eab === null ? {} : { externalAccountBinding: await boundBy(eab, url.value, keyPem) }
      return account(keyPem, { termsOfServiceAgreed: true, ...contact, ...binding })
    },
    find: (keyPem) => account(keyPem, { onlyReturnExisting: true }),
    async newOrder(by, { names, profile, replaces }) {
      const found = await directory()
      if (!found.ok) return found
      const identifiers = names.map((value) => ({ type: isIP(value) > 0 ? 'ip' : 'dns', value }))
      const id = replaces !== null && found.value.renewalInfo ? renewalInfoId(replaces) : undefined
      const more = { ...(profile === null ? {} : { profile }), ...(id === undefined ? {} : { replaces: id }) }
      return orderOf(await postTo('newOrder', by, { identifiers, ...more }))
    },
    order: async (by, url) => orderOf(await exchange.post(url, by, undefined), url),
    async authorization(by, url) {
      const read = parse(wire.authorization, await exchange.post(url, by, undefined))
      if (!read.ok) return read
      const { identifier, status, wildcard, challenges } = read.value.body
      const shown = challenges.map(({ token, error, ...challenge }) => ({ ...challenge, token: token ?? '', problem: within(error) }))
      const { retryAt } = read.value.answer
      return { ok: true, value: { url, name: identifier.value, wildcard: wildcard ?? false, status, challenges: shown, retryAt } }
    },
    respond: async (by, url) => nothing(await exchange.post(url, by, {})),
    finalize: async (by, { url, finalize }, csr) =>
      orderOf(await exchange.post(finalize, by, { csr: Buffer.from(csr).toString('base64url') }), url),
    async certificate(by, url) {
      const answer = await exchange.post(url, by, undefined)
      if (!answer.ok) return answer
      const pem = answer.value.body.toString('utf8')
      return pem.includes('-----BEGIN CERTIFICATE-----') ? { ok: true, value: pem } : ownProblem('malformedAnswer', 'no certificate in it')
    },
    async revoke(by, pem, reason) {
      const certificate = new X509Certificate(pem).raw.toString('base64url')
      return nothing(await postTo('revokeCert', by, { certificate, reason }))
    },
    async rollKey({ url, keyPem }, newKeyPem) {
      const to = await addressOf('keyChange')
      if (!to.ok) return to
      const inner = await signed(to.value, { keyPem: newKeyPem, url: null }, undefined, { account: url, oldKey: publicJwk(keyPem) })
      return nothing(await exchange.post(to.value, { url, keyPem }, JSON.parse(inner) as object))
    },
    async renewalInfo(pem) {
      const found = await directory()
      if (!found.ok) return found
      const { renewalInfo } = found.value
      const id = renewalInfo ? renewalInfoId(pem) : undefined
      if (!renewalInfo || id === undefined) return { ok: true, value: null }
      const read = parse(wire.renewalInfo, await exchange.get(`${renewalInfo.replace(/\/$/, '')}/${id}`))
      if (!read.ok) return read
      return { ok: true, value: { ...read.value.body.suggestedWindow, retryAt: read.value.answer.retryAt } }
    },
  }
}

function parse<T>(schema: z.ZodType<T>, answer: AcmeResult<AcmeAnswer>): AcmeResult<{ body: T; answer: AcmeAnswer }> {
  if (!answer.ok) return answer
  const read = schema.safeParse(answer.value.json)
  if (read.success) return { ok: true, value: { body: read.data, answer: answer.value } }
  const [issue] = read.error.issues
  return ownProblem('malformedAnswer', `${issue?.path.join('.') || 'the answer'}: ${issue?.message ?? 'unreadable'}`)
}

/** What an order or a challenge says of its failure. */
function within(error: unknown): AcmeProblem | null {
  return error === undefined || error === null ? null : readProblem(error, null, null)
}

function nothing(answer: AcmeResult<AcmeAnswer>): AcmeResult<undefined> {
  return answer.ok ? { ok: true, value: undefined } : answer
}

function located({ headers }: AcmeAnswer): string | undefined {
  return headers.location !== undefined && URL.canParse(headers.location) ? headers.location : undefined
}

// Source: RFC 8555 section 7.3.4.
async function boundBy({ kid, hmacKey }: { kid: string; hmacKey: string }, url: string, keyPem: string) {
  const sign = new FlattenedSign(Buffer.from(JSON.stringify(publicJwk(keyPem)))).setProtectedHeader({ alg: 'HS256', kid, url })
  return sign.sign(Buffer.from(hmacKey, 'base64url'))
}
