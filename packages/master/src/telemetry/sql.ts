import type { Scope } from './query.ts'
import { literal } from './schema.ts'

/** Asks the store and gives the rows as objects. */
export type Ask = (sql: string, values: Record<string, string>) => Promise<Record<string, unknown>[]>

/** Part of a query, and the texts that it names with a dollar sign. */
export interface Condition {
  sql: string
  values: Record<string, string>
}

export function conditionOf(parts: (Condition | false | undefined)[]): Condition {
  const present = parts.filter((part): part is Condition => typeof part === 'object')
  return { sql: present.map(({ sql }) => sql).join(' AND '), values: Object.assign({}, ...present.map(({ values }) => values)) }
}

export function scopeCondition({ from, to, agents }: Scope): Condition {
  const list = agents.map((agent) => `${literal(agent)}::UUID`).join(', ')
  return { sql: `ts >= ${from} AND ts < ${to} AND ${list === '' ? 'false' : `agent IN (${list})`}`, values: {} }
}
