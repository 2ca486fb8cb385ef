import 'reflect-metadata'
import { randomBytes, type webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

/** What CAs of the master's own making sign with. */
export const caAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A CA that signs certificates and no other CAs, good for ten years: its certificate and its key as PEM. */
export async function newCa(name: string, from: number): Promise<{ certificatePem: string; keyPem: string }> {
  const keys = await crypto.subtle.generateKey(caAlgorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [`${name} ${randomBytes(4).toString('hex')}`] }],
    notBefore: new Date(from),
    notAfter: new Date(from + lifetime),
    keys,
    signingAlgorithm: caAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificatePem: `${certificate.toString('pem').trim()}\n`, keyPem: await exportKey(keys.privateKey) }
}

const lifetime = 3654 * 86_400_000

/** A serial number: a positive integer of at most 20 octets (RFC 5280 section 4.1.2.2), in hexadecimal. */
export function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return bytes.toString('hex')
}

/** A private key as PEM (PKCS #8). */
export async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', key))
  return x509.PemConverter.encode(der, 'PRIVATE KEY')
}

/** The key of a CA, ready to sign. */
export async function importCaKey(pem: string): Promise<webcrypto.CryptoKey> {
  return crypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), caAlgorithm, false, ['sign'])
}
