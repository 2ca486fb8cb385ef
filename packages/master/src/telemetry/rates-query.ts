import { filesWithin } from './commit.ts'
import type { Store } from './open-store.ts'
import type { AgentRates, Query } from './query.ts'
import { quoted } from './schema.ts'
import { type Ask, scopeCondition } from './sql.ts'

const requests = 'nginx_http_requests_total'
const dropped = 'nxmesh_agent_log_lines_dropped_total'

/** What each of many agents served in a window: those that said nothing in it are left out. */
export async function readRates(store: Store, ask: Ask, { scope, withTimes }: Extract<Query, { kind: 'rates' }>): Promise<AgentRates[]> {
  const { sql, values } = scopeCondition(scope)
  const from = (table: 'samples' | 'access', columns: string, where: string) => {
    const files = filesWithin(store, table, scope.from, scope.to)
    return files.map(({ name }) => `SELECT ${columns} FROM ${quoted(name)}.${table} WHERE ${sql} AND ${where}`).join(' UNION ALL ')
  }
  const rates = new Map<string, AgentRates>()
  const of = (agent: string) => {
    const known = rates.get(agent) ?? { agent, requests: 0, server_errors: 0, dropped: 0, p99: null }
    rates.set(agent, known)
    return known
  }
  const counted = from('samples', 'agent, name, status_class, increase', `name IN ('${requests}', '${dropped}') AND increase IS NOT NULL`)
  const rows =
    counted === ''
      ? []
      : await ask(`SELECT agent::VARCHAR AS agent, name, status_class, sum(increase) AS rise FROM (${counted}) GROUP BY ALL`, values)
  for (const { agent, name, status_class, rise } of rows) {
    const amount = Math.round(Number(rise))
    if (name === dropped) of(String(agent)).dropped += amount
    else {
      of(String(agent)).requests += amount
      if (status_class === '5xx') of(String(agent)).server_errors += amount
    }
  }
  const timed = withTimes ? from('access', 'agent, response_time_ms', 'response_time_ms IS NOT NULL') : ''
  const times =
    timed === ''
      ? []
      : await ask(`SELECT agent::VARCHAR AS agent, quantile_disc(response_time_ms, 0.99) AS p99 FROM (${timed}) GROUP BY agent`, values)
  for (const { agent, p99 } of times) of(String(agent)).p99 = Number(p99)
  return [...rates.values()]
}
