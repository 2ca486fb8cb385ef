import { X509Certificate } from 'node:crypto'

/** What a certificate says of itself. Times are RFC 3339 UTC. */
export interface CertificateFacts {
  /** DNS names and IP addresses of the subject alternative name, in its order; where there is none, the common name. */
  names: string[]
  subject: string
  issuer: string
  /** Hexadecimal, upper case. */
  serial: string
  /** SHA-256 of the DER, in hexadecimal, lower case. */
  fingerprint: string
  not_before: string
  not_after: string
  /** As in `rsa 2048` or `ec prime256v1`. */
  key: string
}

/** Reads one certificate from PEM (the first in the text) or DER; undefined when it is none. */
export function readCertificate(source: string | Uint8Array): CertificateFacts | undefined {
  try {
    return factsOf(new X509Certificate(source))
  } catch {
    return undefined
  }
}

function factsOf(certificate: X509Certificate): CertificateFacts {
  const { publicKey } = certificate
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {}
  const size = modulusLength ?? namedCurve
  return {
    names: namesOf(certificate),
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    serial: certificate.serialNumber,
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    not_before: certificate.validFromDate.toISOString(),
    not_after: certificate.validToDate.toISOString(),
    key: [publicKey.asymmetricKeyType, size].filter((part) => part !== undefined).join(' '),
  }
}

function namesOf(certificate: X509Certificate): string[] {
  const alternatives = (certificate.subjectAltName ?? '').split(', ').flatMap((part) => {
    const [, name] = /^(?:DNS|IP Address):(.+)$/.exec(part) ?? []
    return name === undefined ? [] : name.toLowerCase()
  })
  if (alternatives.length > 0) return alternatives
  const [, common] = /(?:^|\n)CN=(.+)/.exec(certificate.subject ?? '') ?? []
  return common === undefined ? [] : [common.toLowerCase()]
}

// Node tells a name line by line, and says undefined for an empty one.
function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ')
}
