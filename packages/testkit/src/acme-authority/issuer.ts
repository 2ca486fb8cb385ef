import 'reflect-metadata'
import { randomBytes } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { Refusal } from './refusal.ts'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const day = 86_400_000

/** A certificate that was issued. */
export interface IssuedCertificate {
  /** As renewal information names it. Source: RFC 9773 section 4.1. */
  id: string
  /** Leaf and intermediate. */
  chainPem: string
  notBefore: number
  notAfter: number
}

export interface Issuer {
  /** A certificate for the key of a request (PKCS #10, DER), which must be for exactly these names. */
  issue(csr: Uint8Array<ArrayBuffer>, names: readonly string[], life: { notBefore: number; notAfter: number }): Promise<IssuedCertificate>
}

/** A root and an intermediate that signs. */
export async function newIssuer(now: number): Promise<Issuer> {
  const [rootKeys, keys] = [await newKeys(), await newKeys()]
  const long = { notBefore: new Date(now - 1000 * day), notAfter: new Date(now + 1000 * day) }
  const ca = new x509.BasicConstraintsExtension(true, undefined, true)
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: ['Test root'] }],
    keys: rootKeys,
    signingAlgorithm: algorithm,
    extensions: [ca],
    ...long,
  })
  const intermediate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ CN: ['Test intermediate'] }],
    issuer: root.subject,
    publicKey: keys.publicKey,
    signingKey: rootKeys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [ca, await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)],
    ...long,
  })
  const authorityKey = await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey)
  return {
    async issue(csr, names, { notBefore, notAfter }) {
      const request = new x509.Pkcs10CertificateRequest(csr)
      if (!(await request.verify())) throw new Refusal(400, 'badCSR', 'the request is not signed by its key')
      const asked = request.extensions.find((one) => one instanceof x509.SubjectAlternativeNameExtension)
      const said = (asked?.names.items ?? []).map(({ value }) => value)
      if (said.toSorted().join() !== names.toSorted().join()) throw new Refusal(400, 'badCSR', `the request is for ${said.join()}`)
      const serial = newSerial()
      const leaf = await x509.X509CertificateGenerator.create({
        serialNumber: serial,
        issuer: intermediate.subject,
        publicKey: request.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        extensions: [asked!, authorityKey],
        notBefore: new Date(notBefore),
        notAfter: new Date(notAfter),
      })
      const id = `${Buffer.from(authorityKey.keyId!, 'hex').toString('base64url')}.${Buffer.from(serial, 'hex').toString('base64url')}`
      return { id, chainPem: pemOf(leaf) + pemOf(intermediate), notBefore, notAfter }
    },
  }
}

async function newKeys() {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

// With its first bit clear, so that it is the bytes of the DER integer.
function newSerial(): string {
  return `01${randomBytes(15).toString('hex')}`
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}
