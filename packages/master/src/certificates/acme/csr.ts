import 'reflect-metadata'
import { createPrivateKey, generateKeyPair } from 'node:crypto'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import type { KeyType } from '@nxmesh/model/certificate'
import * as x509 from '@peculiar/x509'

const generate = promisify(generateKeyPair)

/** A new key for a certificate, as PEM (PKCS #8). */
export async function newCertificateKey(type: KeyType): Promise<string> {
  const { privateKey } = await (type.startsWith('rsa')
    ? generate('rsa', { modulusLength: Number(type.slice(3)) })
    : generate('ec', { namedCurve: type === 'ec384' ? 'P-384' : 'P-256' }))
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** A request (PKCS #10, DER) for a certificate for names and addresses, signed by the key that it is for. */
export async function csrOf(names: readonly string[], keyPem: string): Promise<Uint8Array> {
  const key = createPrivateKey(keyPem)
  const algorithm =
    key.asymmetricKeyType === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : key.asymmetricKeyDetails?.namedCurve === 'secp384r1'
        ? { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' }
        : { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const signer = await crypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), algorithm, true, ['sign'])
  const { kty, n, e, crv, x, y } = key.export({ format: 'jwk' })
  const jwk = Object.fromEntries(Object.entries({ kty, n, e, crv, x, y }).filter(([, value]) => value !== undefined))
  const publicKey = await crypto.subtle.importKey('jwk', jwk, algorithm, true, ['verify'])
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    keys: { privateKey: signer, publicKey },
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value })))],
  })
  return new Uint8Array(request.rawData)
}
