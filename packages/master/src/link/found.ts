import type { FoundCertificates, FoundCertificate as WireFound } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import type { FoundCertificate } from '../certificates/found.ts'

const most = 1000
const mostNames = 100
const longest = 1000
const longestPath = 4096
// From the year 0 to 9999, in seconds.
const [earliest, latest] = [-62_167_219_200n, 253_402_300_799n]

/** Reads the certificates that an agent has found on its host, or says which field cannot be believed. */
export function readFound({ certificates }: FoundCertificates): FoundCertificate[] | string {
  if (certificates.length > most) return `found_certificates.certificates must hold at most ${most} entries`
  const read: FoundCertificate[] = []
  for (const [index, wire] of certificates.entries()) {
    const problem = problemOf(wire)
    if (problem !== undefined) return `found_certificates.certificates.${index}.${problem}`
    read.push(entryOf(wire))
  }
  return read
}

function problemOf(wire: WireFound): string | undefined {
  const { path, names, serverNames, subject, issuer, serial, fingerprint, key, error, notBefore, notAfter } = wire
  if (path === '' || path.length > longestPath) return `path must be from 1 to ${longestPath} characters`
  if (names.length > mostNames || serverNames.length > mostNames) return `names must be at most ${mostNames}`
  const texts = [subject, issuer, serial, key, error, ...names, ...serverNames]
  // A zero is taken by neither database.
  if (texts.some((text) => text.length > longest) || [path, ...texts].some((text) => text.includes('\0')))
    return `texts must be at most ${longest} characters without zeros`
  if (!/^([0-9a-f]{64})?$/.test(fingerprint)) return 'fingerprint must be 64 hexadecimal digits'
  if ([notBefore, notAfter].some((time) => time < earliest || time > latest)) return 'not_after must be a time'
  return undefined
}

function entryOf(wire: WireFound): FoundCertificate {
  const { path, names, serverNames: server_names, error } = wire
  const isRead = wire.fingerprint !== ''
  const text = (value: string) => (isRead ? value : null)
  const time = (value: bigint) => (isRead ? new Date(Number(value) * 1000).toISOString() : null)
  return {
    path,
    names,
    server_names,
    subject: text(wire.subject),
    issuer: text(wire.issuer),
    serial: text(wire.serial),
    fingerprint: text(wire.fingerprint),
    key: text(wire.key),
    not_before: time(wire.notBefore),
    not_after: time(wire.notAfter),
    error: error === '' ? null : error,
  }
}
