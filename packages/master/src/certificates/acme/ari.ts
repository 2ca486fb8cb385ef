import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

/**
 * What names a certificate (PEM) in renewal information: the key identifier of its issuer and its serial number, in base64url with a dot
 * between; undefined where it says no key identifier. Source: RFC 9773 section 4.1.
 */
export function renewalInfoId(certificatePem: string): string | undefined {
  const certificate = new x509.X509Certificate(certificatePem)
  const issuer = certificate.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId
  if (issuer === undefined) return undefined
  // The bytes of the DER integer: one of which the first bit is set has a zero before it.
  const serial = certificate.serialNumber.length % 2 === 0 ? certificate.serialNumber : `0${certificate.serialNumber}`
  const bytes = Buffer.from(serial, 'hex')
  const positive = bytes[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes
  return `${Buffer.from(issuer, 'hex').toString('base64url')}.${positive.toString('base64url')}`
}
