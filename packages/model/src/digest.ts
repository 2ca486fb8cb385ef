import { createHash } from 'node:crypto'
import type { AgentConfig } from './agent-config.ts'

/** JSON with object keys in order of code units, no spaces and no undefined members: equal values give equal text (after RFC 8785). */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`)
  return `{${members.join(',')}}`
}

/** The digest of an agent config: the SHA-256 of its canonical bytes, as 64 hexadecimal digits. */
export function digestOf(config: AgentConfig): string {
  return createHash('sha256').update(canonicalJson(config)).digest('hex')
}
