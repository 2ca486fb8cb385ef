import type { Finding } from '@nxmesh/model/agent'
import { hostMessages } from './message-causes/host.ts'
import { listeningMessages } from './message-causes/listening.ts'
import { locationMessages } from './message-causes/locations.ts'
import type { MessagePattern } from './message-causes/pattern.ts'
import { requestMessages } from './message-causes/requests.ts'
import { streamMessages } from './message-causes/streams.ts'
import { syntaxMessages } from './message-causes/syntax.ts'
import { tlsMessages } from './message-causes/tls.ts'
import { upstreamMessages } from './message-causes/upstreams.ts'
import { variableMessages } from './message-causes/variables.ts'
import { zoneMessages } from './message-causes/zones.ts'

/** What is likely behind a message of nginx, and what to do about it. */
export interface MessageCause {
  /** Names the kind of message; stays while texts are improved. */
  code: string
  cause: string
  fix: string
}

// What is said of requests comes before what files say of themselves, and the general words of the reader come last.
const patterns: readonly MessagePattern[] = [
  ...requestMessages,
  ...streamMessages,
  ...tlsMessages,
  ...upstreamMessages,
  ...listeningMessages,
  ...zoneMessages,
  ...locationMessages,
  ...variableMessages,
  ...hostMessages,
  ...syntaxMessages,
]

/**
 * The likely cause of a message and its fix, by what nginx 1.18 to 1.30 print and log; undefined for words that none of them says.
 * `message` is the text without time and level before it; the file and line behind it may be there or not.
 */
export function causeOf(message: string): MessageCause | undefined {
  const text = message.replace(place, '')
  for (const { code, pattern, cause, fix } of patterns) {
    const match = pattern.exec(text)
    if (match) return { code, cause: filled(cause, match), fix: filled(fix, match) }
  }
  return undefined
}

/** A finding with its cause, where its words are nginx's and known. */
export function withCause(finding: Finding): Finding {
  return { ...finding, ...causeOf(finding.message) }
}

const place = / in (?:\/[^\n]*?|[\w.-]+):\d+$/
const longest = 200

// A group that matched nothing leaves the other of two alternatives its place.
function filled(text: string, match: RegExpExecArray): string {
  return text.replace(/\$(\d)/g, (_, number: string) => {
    const value = match[Number(number)] ?? match.slice(1).find((each) => each !== undefined) ?? ''
    return value.length > longest ? `${value.slice(0, longest)}…` : value
  })
}
