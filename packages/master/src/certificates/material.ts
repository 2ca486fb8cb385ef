import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { Problem } from '@nxmesh/model/problem'
import { type CertificateFacts, readCertificate } from '@nxmesh/model/x509'

/** A certificate with its intermediates, leaf first, and the key that it is for. */
export interface Material {
  certificate_pem: string
  private_key_pem: string
  facts: CertificateFacts
}

export type MaterialResult = { ok: true; material: Material } | { ok: false; problems: Problem[] }

const block = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g
// What OpenSSL asks for at security level 2, its default since 3.0. Source: SSL_CTX_set_security_level(3).
const leastBits = { rsa: 2048, ec: 224 }
const weakHash = /md5|sha1/i

/**
 * Reads a chain and a key as they come: the certificates may be in any order and the root among them. What nginx or the browsers of
 * visitors would not take is refused: a key that does not match, a chain with foreign certificates, one that is over or not
 * yet good at `now` (milliseconds since the epoch). `ahead`: by how much the clock of whoever issued it may be before ours.
 */
export function readMaterial(certificatePem: string, privateKeyPem: string, now: number, ahead = 0): MaterialResult {
  const key = readKey(privateKeyPem)
  const certificates = readCertificates(certificatePem)
  const problems = [key, certificates].flatMap((part) => ('message' in part ? [part] : []))
  if ('message' in key || 'message' in certificates) return { ok: false, problems }
  const leaf = certificates.find((certificate) => certificate.checkPrivateKey(key))
  if (!leaf) return refused('private_key_pem', 'is the key of none of the certificates')
  if (leaf.ca && certificates.length > 1) return refused('private_key_pem', 'is the key of a CA, not of the certificate')
  const { chain, left } = ordered(leaf, certificates)
  const foreign = left[0]
  if (foreign) return refused('certificate_pem', `holds a certificate that is not of the chain: ${oneLine(foreign.subject)}`)
  const over = chain.find(({ validToDate }) => validToDate.getTime() <= now)
  if (over) return refused('certificate_pem', `${oneLine(over.subject)} is over since ${over.validToDate.toISOString()}`)
  const early = chain.find(({ validFromDate }) => validFromDate.getTime() > now + ahead)
  if (early) return refused('certificate_pem', `${oneLine(early.subject)} is not good before ${early.validFromDate.toISOString()}`)
  const weak = chain.flatMap((certificate) => weaknessOf(certificate) ?? [])[0]
  if (weak !== undefined) return refused('certificate_pem', weak)
  const facts = readCertificate(leaf.raw)!
  if (facts.names.length === 0) return refused('certificate_pem', 'is for no name at all')
  return {
    ok: true,
    material: {
      certificate_pem: chain.map((certificate) => certificate.toString()).join(''),
      private_key_pem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
      facts,
    },
  }
}

function readKey(pem: string): KeyObject | Problem {
  const problem = (message: string): Problem => ({ field: 'private_key_pem', message, code: 'INVALID_VALUE' })
  if (/ENCRYPTED/.test(pem)) return problem('is encrypted: take its password away first, with openssl pkey')
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    return problem('is no private key in PEM')
  }
  const small = smallness(key)
  if (small !== undefined) return problem(small)
  return key
}

function smallness({ asymmetricKeyDetails }: KeyObject): string | undefined {
  const { modulusLength, namedCurve } = asymmetricKeyDetails ?? {}
  if (modulusLength !== undefined && modulusLength < leastBits.rsa)
    return `has ${modulusLength} bits; TLS libraries refuse RSA keys of less than ${leastBits.rsa}`
  // The names of curves tell their size.
  if (namedCurve !== undefined && Number(/\d{3}/.exec(namedCurve)?.[0] ?? 0) < leastBits.ec)
    return `is of the curve ${namedCurve}; TLS libraries refuse curves of less than ${leastBits.ec} bits`
  return undefined
}

/** Why a TLS library would not take a certificate of a chain. Nobody looks at the signature of one that signed itself. */
function weaknessOf(certificate: X509Certificate): string | undefined {
  const small = smallness(certificate.publicKey)
  if (small !== undefined) return `the key of ${oneLine(certificate.subject)} ${small}`
  const hash = certificate.signatureAlgorithm ?? ''
  if (!weakHash.test(hash) || certificate.checkIssued(certificate)) return undefined
  return `${oneLine(certificate.subject)} is signed with ${hash}, which TLS libraries refuse`
}

function readCertificates(pem: string): X509Certificate[] | Problem {
  const problem = (message: string): Problem => ({ field: 'certificate_pem', message, code: 'INVALID_VALUE' })
  if (/PRIVATE KEY/.test(pem)) return problem('holds a private key: that goes into private_key_pem')
  const found = new Map<string, X509Certificate>()
  for (const [text] of pem.matchAll(block)) {
    try {
      const certificate = new X509Certificate(text)
      found.set(certificate.fingerprint256, certificate)
    } catch {
      return problem(`certificate ${found.size + 1} cannot be read`)
    }
  }
  return found.size === 0 ? problem('holds no certificate in PEM') : [...found.values()]
}

// From the leaf to its issuer and on; a root that visitors have themselves is left out.
function ordered(leaf: X509Certificate, all: X509Certificate[]): { chain: X509Certificate[]; left: X509Certificate[] } {
  const chain = [leaf]
  const left = new Set(all)
  left.delete(leaf)
  for (let last = leaf; ; ) {
    const issuer = [...left].find((candidate) => last.checkIssued(candidate) && last.verify(candidate.publicKey))
    if (!issuer) return { chain, left: [...left] }
    left.delete(issuer)
    if (!issuer.checkIssued(issuer)) chain.push(issuer)
    last = issuer
  }
}

function refused(field: string, message: string): MaterialResult {
  return { ok: false, problems: [{ field, message, code: 'INVALID_VALUE' }] }
}

function oneLine(name: string): string {
  return name.split('\n').join(', ')
}
