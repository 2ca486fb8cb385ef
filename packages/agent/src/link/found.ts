import type { MessageInitShape } from '@bufbuild/protobuf'
import type { FoundCertificatesSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import type { FoundCertificate } from '../found-certificates.ts'

// What a master takes; a list must also stay well below what one message may hold.
const mostNames = 100
const longestText = 1000
const longestPath = 4096
const mostCharacters = 1_000_000

/** Certificates of the host as a master is told of them: texts are cut, and names that would make the list too long are left out. */
export function wireFound(found: readonly FoundCertificate[]): MessageInitShape<typeof FoundCertificatesSchema> {
  let left = mostCharacters
  const some = (names: readonly string[]) => {
    const kept: string[] = []
    for (const name of names.slice(0, mostNames).map((one) => fit(one))) {
      left -= name.length
      if (left < 0) break
      kept.push(name)
    }
    return kept
  }
  return {
    certificates: found.map(({ path, server_names, facts, error }) => ({
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
    })),
  }
}

// A zero is taken by no database, and half of a pair by no message.
function fit(text: string, longest = longestText): string {
  return text.slice(0, longest).toWellFormed().replaceAll('\0', '\uFFFD')
}

function seconds(time: string): bigint {
  return BigInt(Math.floor(Date.parse(time) / 1000))
}
