import { literal, quote } from '../quote.ts'
import { longestHashed } from './hash-size.ts'
import type { Rendering } from './rendering.ts'
import type { ConfigWriter } from './writer.ts'

const thumbprintVariable = '$nxmesh_acme_thumbprint'
const answerVariable = '$nxmesh_acme_answer'

/**
 * Writes the variable that holds the answer to an HTTP-01 challenge, and nothing for every other request: whoever asks gets the token back with
 * the thumbprint of the account that the name belongs to. So any nginx can answer any challenge, without being told of it. Source: RFC 8555
 * section 8.3.
 */
export function renderChallengeAnswers({ writer, target, challenges }: Pick<Rendering, 'writer' | 'target' | 'challenges'>): void {
  if (!challenges) return
  writer.line(`map $host ${thumbprintVariable} {`)
  writer.line('    default "";')
  for (const [identifier, thumbprint] of Object.entries(challenges.thumbprints)) {
    const name = identifier.includes(':') ? `[${identifier}]` : identifier
    const hashed = target.mode === 'owned' || name.length <= longestHashed
    const source = hashed ? quote(name) : quote(`~^${name.replaceAll(/[.[\]]/g, '\\$&')}$`)
    writer.line(`    ${source} ${quote(literal(thumbprint))};`)
  }
  writer.line('}')
  writer.line(`map "${thumbprintVariable}:$uri" ${answerVariable} {`)
  writer.line('    default "";')
  writer.line(
    '    "~^(?<nxmesh_acme_key>[-_A-Za-z0-9]{43}):/\\.well-known/acme-challenge/(?<nxmesh_acme_token>[-_A-Za-z0-9]+)$" $nxmesh_acme_token.$nxmesh_acme_key;',
  )
  writer.line('}')
}

/** Answers challenges in a server before anything else: nginx looks for a location only after this, so no redirect or password of a user stands before it. */
export function writeChallengeAnswer(writer: ConfigWriter, indent: string): void {
  writer.line(`${indent}if (${answerVariable}) {`)
  writer.line(`${indent}    return 200 ${answerVariable};`)
  writer.line(`${indent}}`)
}
