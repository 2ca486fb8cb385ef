import type { Metrics, MetricsPoint } from '@nxmesh/model/metrics'
import { filesWithin } from './commit.ts'
import type { Store } from './open-store.ts'
import type { Query, Scope } from './query.ts'
import { quoted } from './schema.ts'
import { type Ask, scopeCondition } from './sql.ts'

type Asked = Extract<Query, { kind: 'metrics' }>

const requests = 'nginx_http_requests_total'
const received = 'nginx_http_request_bytes_total'
const sent = 'nginx_http_response_bytes_total'
const connections = 'nginx_connections_active'

/** What is known of one step, or of the whole window. */
interface Sums {
  total: number
  in_bytes: number
  out_bytes: number
  codes: MetricsPoint['status_codes']
  connections: number | null
  latency: Metrics['response_time_ms']
}

/** What agents served in a window, and in each step of it. */
export async function readMetricsOf(store: Store, ask: Ask, { scope, step, now }: Asked): Promise<Metrics> {
  const [whole = blank()] = await sumsOf(store, ask, scope, undefined)
  const end = Math.min(scope.to, Math.max(now, scope.from + 1))
  const totals: Metrics = { ...trafficOf(whole, end - scope.from), active_connections: whole.connections ?? 0 }
  if (step === undefined) return totals
  const found = await sumsOf(store, ask, scope, step)
  const count = Math.ceil((scope.to - scope.from) / step)
  const series = Array.from({ length: count }, (_, index) => {
    const begins = scope.from + index * step
    const sums = found[index] ?? blank()
    const length = Math.min(scope.to, begins + step) - begins
    return { timestamp: new Date(begins).toISOString(), ...trafficOf(sums, length), active_connections: sums.connections }
  })
  return { ...totals, series }
}

function trafficOf({ total, in_bytes, out_bytes, codes, latency }: Sums, milliseconds: number) {
  return {
    requests_total: total,
    requests_per_second: total / (milliseconds / 1000),
    error_rate: total === 0 ? 0 : codes['5xx'] / total,
    bandwidth: { in_bytes, out_bytes },
    status_codes: codes,
    response_time_ms: latency,
  }
}

async function sumsOf(store: Store, ask: Ask, scope: Scope, step: number | undefined): Promise<Sums[]> {
  const found: Sums[] = []
  const of = (index: unknown) => (found[Number(index)] ??= blank())
  const bucket = step === undefined ? '0' : `(ts - ${scope.from}) // ${step}`
  for (const row of await counted(store, ask, scope, bucket)) addCounter(of(row['bucket']), row)
  for (const row of await gauged(store, ask, scope, bucket)) of(row['bucket']).connections = Math.round(Number(row['value']))
  for (const row of await timed(store, ask, scope, bucket)) {
    const [p50 = null, p90 = null, p99 = null] = row['times'] as number[]
    of(row['bucket']).latency = { p50, p90, p99 }
  }
  return found
}

function addCounter(sums: Sums, { name, status_class, rise }: Record<string, unknown>): void {
  const amount = Math.round(Number(rise))
  if (name === received) sums.in_bytes += amount
  else if (name === sent) sums.out_bytes += amount
  else {
    sums.total += amount
    if (typeof status_class === 'string' && Object.hasOwn(sums.codes, status_class)) {
      sums.codes[status_class as keyof Sums['codes']] += amount
    }
  }
}

function counted(store: Store, ask: Ask, scope: Scope, bucket: string) {
  const names = [requests, received, sent].map((name) => `'${name}'`).join(', ')
  return grouped(store, ask, scope, {
    table: 'samples',
    columns: `${bucket} AS bucket, name, status_class, increase`,
    where: `name IN (${names}) AND increase IS NOT NULL`,
    outer: (rows) => `SELECT bucket::DOUBLE AS bucket, name, status_class, sum(increase) AS rise FROM ${rows} GROUP BY ALL`,
  })
}

function gauged(store: Store, ask: Ask, scope: Scope, bucket: string) {
  return grouped(store, ask, scope, {
    table: 'samples',
    columns: `${bucket} AS bucket, agent, ts, value`,
    where: `name = '${connections}'`,
    outer: (rows) =>
      `SELECT bucket::DOUBLE AS bucket, sum(value) AS value FROM
       (SELECT bucket, agent, arg_max(value, ts) AS value FROM ${rows} GROUP BY bucket, agent) GROUP BY bucket`,
  })
}

function timed(store: Store, ask: Ask, scope: Scope, bucket: string) {
  return grouped(store, ask, scope, {
    table: 'access',
    columns: `${bucket} AS bucket, response_time_ms AS time`,
    where: 'response_time_ms IS NOT NULL',
    // nginx tells times in whole milliseconds, so there are few of them: counting each is exact and costs less than sorting all.
    outer: (rows) =>
      `SELECT bucket::DOUBLE AS bucket, [${[0.5, 0.9, 0.99].map((share) => `min(time) FILTER (below >= ${share} * whole)`).join(', ')}] AS times
       FROM (SELECT bucket, time, sum(count) OVER (PARTITION BY bucket ORDER BY time) AS below, sum(count) OVER (PARTITION BY bucket) AS whole
         FROM (SELECT bucket, time, count(*) AS count FROM ${rows} GROUP BY bucket, time))
       GROUP BY bucket`,
  })
}

interface Grouping {
  table: 'access' | 'samples'
  columns: string
  where: string
  outer: (rows: string) => string
}

async function grouped(store: Store, ask: Ask, scope: Scope, { table, columns, where, outer }: Grouping) {
  const { sql, values } = scopeCondition(scope)
  const parts = filesWithin(store, table, scope.from, scope.to).map(
    ({ name }) => `SELECT ${columns} FROM ${quoted(name)}.${table} WHERE ${sql} AND ${where}`,
  )
  return parts.length === 0 ? [] : ask(outer(`(${parts.join(' UNION ALL ')})`), values)
}

function blank(): Sums {
  return {
    total: 0,
    in_bytes: 0,
    out_bytes: 0,
    codes: { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
    connections: null,
    latency: { p50: null, p90: null, p99: null },
  }
}
