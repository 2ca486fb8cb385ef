import { createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto'
import { Refusal } from './refusal.ts'

/** Who may sign a request: an account, or the key of one that is to be made. */
export interface Signer {
  account: string | null
  jwk: JsonWebKey
  key: KeyObject
}

export interface SignedRequest {
  signer: Signer
  /** Undefined where something is only read (POST-as-GET). */
  payload: unknown
}

interface Expected {
  url: string
  contentType: string | undefined
  /** Whether the request may come with a key instead of an account. */
  byKey: boolean
  takeNonce: (nonce: string) => boolean
  signerOf: (account: string) => Signer | undefined
}

interface Header {
  alg?: string
  nonce?: string
  url?: string
  kid?: string
  jwk?: JsonWebKey
}

/** Opens a request as RFC 8555 section 6.2 has it signed; throws what is wrong with it. */
export function openSigned(body: string, { url, contentType, byKey, takeNonce, signerOf }: Expected): SignedRequest {
  if (contentType !== 'application/jose+json') throw new Refusal(415, 'malformed', `content-type ${contentType}`)
  const { protected: header, payload, signature } = JSON.parse(body) as { protected: string; payload: string; signature: string }
  const said = JSON.parse(decoded(header)) as Header
  if (said.alg !== 'ES256') throw new Refusal(400, 'badSignatureAlgorithm', `alg ${said.alg}`)
  if (said.url !== url) throw new Refusal(401, 'unauthorized', `signed for ${said.url}, sent to ${url}`)
  if (byKey ? !said.jwk || said.kid : !said.kid || said.jwk)
    throw new Refusal(400, 'malformed', 'signed by a key and an account, or the other one')
  const signer = byKey ? signerBy(said.jwk!) : signerOf(said.kid!)
  if (!signer) throw new Refusal(400, 'accountDoesNotExist', `no account ${said.kid}`)
  const signed = Buffer.from(`${header}.${payload}`)
  const isGood = verify('sha256', signed, { key: signer.key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))
  if (!isGood) throw new Refusal(400, 'malformed', 'the signature is not of the key')
  if (!takeNonce(said.nonce ?? '')) throw new Refusal(400, 'badNonce', `nonce ${said.nonce}`)
  const text = decoded(payload)
  return { signer, payload: text === '' ? undefined : JSON.parse(text) }
}

function signerBy(jwk: JsonWebKey): Signer {
  return { account: null, jwk, key: createPublicKey({ key: jwk, format: 'jwk' }) }
}

function decoded(text: string): string {
  return Buffer.from(text, 'base64url').toString('utf8')
}
