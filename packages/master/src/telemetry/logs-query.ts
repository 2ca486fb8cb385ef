import type { AccessLogEntry, ErrorLogEntry, TopEntry } from '@nxmesh/model/access-log'
import { causeOf } from '@nxmesh/nginx/message-cause'
import { filesWithin } from './commit.ts'
import { writeCursor } from './cursor.ts'
import type { OpenFile, Store } from './open-store.ts'
import type { AccessFilters, ErrorFilters, Position, Query } from './query.ts'
import { accessFields, pathOfUri, quoted } from './schema.ts'
import { type Ask, type Condition, conditionOf, scopeCondition } from './sql.ts'

export type Row = Record<string, unknown> & { ts: number; seq: number; agent: string }

type LogQuery = Extract<Query, { kind: 'access-logs' | 'error-logs' }>

/** A page of a log, newest first. */
export async function listLogs(store: Store, ask: Ask, query: LogQuery): Promise<unknown> {
  const isAccess = query.kind === 'access-logs'
  const { table, columns, shown } = isAccess ? accessLog : errorLog
  const condition = isAccess ? accessCondition(query.filters) : errorCondition(query.filters)
  const { limit, after, filters } = query
  const files = filesWithin(store, table, filters.from, filters.to)
  const total = await countRows(ask, files, table, condition)
  const rows = await newest(ask, files, { table, columns, condition, after, wanted: limit + 1 })
  const data = rows.slice(0, limit).map(shown)
  const last = rows[limit - 1]
  const next = rows.length > limit && last ? { next_cursor: writeCursor(filters, last) } : {}
  return { data, meta: { total, limit, ...next } }
}

interface Log {
  table: 'access' | 'errors'
  columns: string
  shown: (row: Row) => AccessLogEntry | ErrorLogEntry
}

const headColumns = 'ts::DOUBLE AS ts, seq::DOUBLE AS seq, agent::VARCHAR AS agent'

/** Where the requests are, and how they are shown. */
export const accessLog: Log = {
  table: 'access',
  columns: `${headColumns}, ${Object.entries(accessFields)
    .map(([name, cell]) => (cell === 'integer' ? `${name}::DOUBLE AS ${name}` : name))
    .join(', ')}`,
  shown: shownAccess,
}

/** Where the lines of error logs are, and how they are shown. */
export const errorLog: Log = { table: 'errors', columns: `${headColumns}, level, message`, shown: shownError }

interface Wanted {
  table: 'access' | 'errors'
  columns: string
  condition: Condition
  after: Position | undefined
  wanted: number
}

// The newest file first: most often the others need not be read at all.
async function newest(ask: Ask, files: OpenFile[], { table, columns, condition, after, wanted }: Wanted): Promise<Row[]> {
  const older = after ? ` AND ts <= ${after.ts} AND (ts < ${after.ts} OR seq < ${after.seq})` : ''
  const where = `${condition.sql}${older}`
  let rows: Row[] = []
  for (const file of files.toSorted((a, b) => b.times[table].max - a.times[table].max)) {
    const enough = rows[wanted - 1]
    if (enough && enough.ts > file.times[table].max) break
    const from = `${quoted(file.name)}.${table}`
    // From when on first, which needs few columns; then all columns, and little more than the rows that are wanted.
    const [first] = await ask(
      `SELECT min(ts)::DOUBLE AS least FROM (SELECT ts FROM ${from} WHERE ${where} ORDER BY ts DESC LIMIT ${wanted})`,
      condition.values,
    )
    const { least } = first as { least: number | null }
    if (least === null) continue
    const found = await ask(
      `SELECT ${columns} FROM ${from} WHERE ${where} AND ts >= ${least} ORDER BY ${table}.ts DESC, ${table}.seq DESC LIMIT ${wanted}`,
      condition.values,
    )
    rows = [...rows, ...(found as Row[])].toSorted((a, b) => b.ts - a.ts || b.seq - a.seq).slice(0, wanted)
  }
  return rows
}

async function countRows(ask: Ask, files: OpenFile[], table: string, { sql, values }: Condition): Promise<number> {
  let total = 0
  for (const { name } of files) {
    const [row] = await ask(`SELECT count(*)::DOUBLE AS total FROM ${quoted(name)}.${table} WHERE ${sql}`, values)
    total += (row as { total: number }).total
  }
  return total
}

/** The commonest values among requests. */
export async function topValues(store: Store, ask: Ask, { filters, by, limit }: Extract<Query, { kind: 'top' }>): Promise<unknown> {
  const condition = accessCondition(filters)
  const files = filesWithin(store, 'access', filters.from, filters.to)
  // Arguments are as many as there are requests; what is asked for is the path.
  const valueIn = ({ hasPaths }: OpenFile) => (by === 'uri' ? (hasPaths ? 'path' : pathOfUri) : by === 'status' ? 'status::VARCHAR' : by)
  const parts = files.map(
    (file) =>
      `SELECT ${valueIn(file)} AS value, body_bytes_sent, status AS code, response_time_ms AS time FROM ${quoted(file.name)}.access WHERE ${condition.sql}`,
  )
  const rows =
    parts.length === 0
      ? []
      : await ask(
          `SELECT value, count(*)::DOUBLE AS requests, coalesce(sum(body_bytes_sent), 0)::DOUBLE AS body_bytes_sent,
             count(*) FILTER (code BETWEEN 500 AND 599)::DOUBLE AS server_errors, avg(time) AS response_time_ms, sum(count(*)) OVER ()::DOUBLE AS total
           FROM (${parts.join(' UNION ALL ')}) GROUP BY value ORDER BY requests DESC, value LIMIT ${limit}`,
          condition.values,
        )
  const data = rows.map(({ total: _all, ...entry }) => entry as TopEntry)
  return { data, meta: { total: Number(rows[0]?.['total'] ?? 0), limit } }
}

/** The condition that requests of these filters fulfil. */
export function accessCondition(filters: AccessFilters): Condition {
  const { status, uri, q, host, method, remote_addr, request_id, virtual_host } = filters
  const equal = Object.entries({ host, method, remote_addr, request_id, virtual_host })
  return conditionOf([
    scopeCondition(filters),
    ...equal.map(([name, text]) => text !== undefined && { sql: `${name} = $${name}`, values: { [name]: text } }),
    status && { sql: `status BETWEEN ${status[0]} AND ${status[1]}`, values: {} },
    uri !== undefined && { sql: 'starts_with(uri, $uri)', values: { uri } },
    q !== undefined && { sql: `(${searched.map((name) => `contains(lower(${name}), $q)`).join(' OR ')})`, values: { q: q.toLowerCase() } },
  ])
}

const searched = ['uri', 'host', 'remote_addr', 'user_agent', 'referer', 'request_id', 'upstream_addr']

/** The condition that lines of error logs of these filters fulfil. */
export function errorCondition(filters: ErrorFilters): Condition {
  const { level, q } = filters
  return conditionOf([
    scopeCondition(filters),
    level !== undefined && { sql: 'level = $level', values: { level } },
    q !== undefined && { sql: 'contains(lower(message), $q)', values: { q: q.toLowerCase() } },
  ])
}

function shownAccess({ ts, seq, agent, virtual_host, ...fields }: Row): AccessLogEntry {
  return { ...head({ ts, seq, agent }), ...fields, virtual_host_id: virtual_host } as AccessLogEntry
}

function shownError({ ts, seq, agent, level, message }: Row): ErrorLogEntry {
  return { ...head({ ts, seq, agent }), level: String(level), message: String(message), ...causeOf(String(message)) }
}

function head({ ts, seq, agent }: { ts: number; seq: number; agent: string }) {
  return { id: idOf({ ts, seq }), agent_id: agent, timestamp: new Date(ts).toISOString() }
}

/** What names a row: a UUID of version 8 (RFC 9562) of its time and its number, which no other row has. */
export function idOf({ ts, seq }: { ts: number; seq: number }): string {
  const time = (ts % 2 ** 48).toString(16).padStart(12, '0')
  const number = seq.toString(16).padStart(15, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-8${number.slice(0, 3)}-8${number.slice(3, 6)}-${number.slice(6).padStart(12, '0')}`
}
