import { createHash } from 'node:crypto'
import type { AgentConfig } from './agent-config.ts'

/** JSON with object keys in order of code units, no spaces and no undefined members: equal values give equal text (after RFC 8785). */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return quoted(value)
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  let text = ''
  if (Array.isArray(value)) {
    for (const item of value) text += `${text === '' ? '' : ','}${canonicalJson(item)}`
    return `[${text}]`
  }
  for (const [key, member] of membersOf(value)) text += `${text === '' ? '' : ','}${quoted(key)}:${canonicalJson(member)}`
  return `{${text}}`
}

/** The digest of an agent config: the SHA-256 of its canonical bytes, as 64 hexadecimal digits. */
export function digestOf(config: AgentConfig): string {
  const hash = createHash('sha256')
  for (const text of pieces(config)) hash.update(text)
  return hash.digest('hex')
}

// The canonical text host by host: in one piece, more time goes into moving its parts about in memory than into making them.
function* pieces(config: AgentConfig): Generator<string> {
  yield '{'
  for (const [at, [key, member]] of membersOf(config).entries()) {
    yield `${at === 0 ? '' : ','}${quoted(key)}:`
    if (Array.isArray(member)) yield* piecesOfList(member)
    else yield canonicalJson(member)
  }
  yield '}'
}

function* piecesOfList(list: readonly unknown[]): Generator<string> {
  yield '['
  for (const [at, item] of list.entries()) yield `${at === 0 ? '' : ','}${canonicalJson(item)}`
  yield ']'
}

function membersOf(value: object): [string, unknown][] {
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

// Most strings need no escapes, and to see that takes a fraction of the time of JSON.stringify.
const plain = /^[ !#-[\]-~]*$/

function quoted(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text)
}
