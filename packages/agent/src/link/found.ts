import type { MessageInitShape } from '@bufbuild/protobuf'
import type { FoundCertificatesSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import type { FoundCertificate } from '../found-certificates.ts'

// What a master takes; a list must also stay well below what one message may hold.
const mostNames = 100
const longestText = 1000
const longestPath = 4096
const mostBytes = 3_000_000
const mostBytesOfNames = 1_000_000

/** Certificates of the host as a master is told of them: texts are cut, and names and entries that would make the list too long are left out. */
export function wireFound(found: readonly FoundCertificate[]): MessageInitShape<typeof FoundCertificatesSchema> {
  const roomFor = room(mostBytes)
  const roomForNames = room(mostBytesOfNames)
  const some = (names: readonly string[]) =>
    names
      .slice(0, mostNames)
      .map((name) => fit(name))
      .filter((name) => roomForNames(name))
  const certificates = found.map(({ path, server_names, facts, error }) => ({
    path: fit(path, longestPath),
    serverNames: some(server_names),
    error: fit(error),
    ...(facts && {
      names: some(facts.names),
      subject: fit(facts.subject),
      issuer: fit(facts.issuer),
      serial: fit(facts.serial),
      fingerprint: facts.fingerprint,
      key: fit(facts.key),
      notBefore: seconds(facts.not_before),
      notAfter: seconds(facts.not_after),
    }),
  }))
  return { certificates: certificates.filter(({ notBefore: _from, notAfter: _to, ...texts }) => roomFor(JSON.stringify(texts))) }
}

/** Tells of one text after another whether there is still room for it. */
function room(bytes: number): (text: string) => boolean {
  let left = bytes
  return (text) => {
    const size = Buffer.byteLength(text)
    if (size > left) return false
    left -= size
    return true
  }
}

// A zero is taken by no database, and half of a pair by no message.
function fit(text: string, longest = longestText): string {
  return text.slice(0, longest).toWellFormed().replaceAll('\0', '\uFFFD')
}

function seconds(time: string): bigint {
  return BigInt(Math.floor(Date.parse(time) / 1000))
}
