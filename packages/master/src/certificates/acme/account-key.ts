import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'

/** A new key for an account: P-256, as PEM (PKCS #8). */
export function newAccountKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** The public half of an account's key as a JSON Web Key with its members in order of RFC 7638. */
export function publicJwk(keyPem: string): { crv: string; kty: string; x: string; y: string } {
  const { crv, kty, x, y } = createPublicKey(createPrivateKey(keyPem)).export({ format: 'jwk' })
  return { crv: crv!, kty: kty!, x: x!, y: y! }
}

/** The thumbprint of an account's key in base64url. Source: RFC 7638. */
export function thumbprintOf(keyPem: string): string {
  return createHash('sha256')
    .update(JSON.stringify(publicJwk(keyPem)))
    .digest('base64url')
}

/** The value of the TXT record that answers a DNS-01 challenge. Source: RFC 8555 section 8.4. */
export function dnsTxtOf(token: string, keyPem: string): string {
  return createHash('sha256')
    .update(`${token}.${thumbprintOf(keyPem)}`)
    .digest('base64url')
}
