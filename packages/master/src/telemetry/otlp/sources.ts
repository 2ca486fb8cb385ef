import { idOf } from '../logs-query.ts'
import type { OpenFile } from '../open-store.ts'
import { accessFields, quoted } from '../schema.ts'
import type { Ask } from '../sql.ts'
import { openHistograms } from './histograms.ts'
import { type AccessRow, type ErrorRow, encodeAccess, encodeErrors } from './logs.ts'
import { encodeMetrics } from './metrics.ts'
import { pointsOf, type SampleRow, wholeHistograms } from './points.ts'
import { type Columns, type ExportedTable, type ReadAfter, reading } from './read.ts'
import type { KnownAgent } from './resource.ts'
import type { Signal } from './setting.ts'

/** Rows as one request to the receiver. */
export interface Batch {
  body: Uint8Array<ArrayBuffer>
  rows: number
  /** The number of the last of them. */
  last: number
  /** There are more after them. */
  hasMore: boolean
}

/** A table whose rows are exported. */
export interface Source {
  table: ExportedTable
  /** The rows after a number, as many as fit; undefined where there are none. */
  take(after: number, limit: number): Promise<Batch | undefined>
}

type Describe = (agents: Iterable<string>) => Promise<ReadonlyMap<string, KnownAgent>>

const accessColumns = Object.fromEntries(Object.keys(accessFields).map((name) => [name, name])) as Columns<AccessRow>

const sampleColumns: Columns<SampleRow> = {
  spool: 'spool',
  name: 'name',
  labels: 'labels',
  value: 'value',
  began: 'coalesce(began, CASE WHEN increase IS NOT NULL THEN ts END)',
  late: '(began IS NOT NULL AND increase IS NULL)',
}

// Of what is read, before it is encoded.
const mostCharacters = 1_000_000

export function sourcesOf(signal: Signal, read: ReadAfter, ask: Ask, describe: Describe): Source[] {
  if (signal === 'metrics') return [samplesSource(read, ask, describe)]
  return [
    logSource<AccessRow>('access', accessColumns, read, describe, (rows, known) => encodeAccess(rows, known, idOf)),
    logSource<ErrorRow>('errors', { level: 'level', message: 'message' }, read, describe, (rows, known) => encodeErrors(rows, known, idOf)),
  ]
}

function logSource<Row extends { seq: number; agent: string }>(
  table: ExportedTable,
  columns: Columns<Row>,
  read: ReadAfter,
  describe: Describe,
  encode: (rows: readonly Row[], known: ReadonlyMap<string, KnownAgent>) => Uint8Array<ArrayBuffer>,
): Source {
  return {
    table,
    async take(after, limit) {
      const page = await read(table, columns, after, limit)
      if (!page) return undefined
      const rows = page.rows.slice(0, fitting(page.rows))
      const body = encode(rows, await describe(agentsOf(rows)))
      return { body, rows: rows.length, last: rows.at(-1)!.seq, hasMore: rows.length < page.rows.length || page.rows.length === limit }
    },
  }
}

function samplesSource(read: ReadAfter, ask: Ask, describe: Describe): Source {
  let histograms = openHistograms()
  let known = -1
  return {
    table: 'samples',
    async take(after, limit) {
      const page = await read('samples', sampleColumns, after, limit)
      if (!page) return undefined
      const isFull = page.rows.length === limit
      const rows = isFull ? wholeHistograms(page.rows) : page.rows
      if (known !== after) {
        histograms = openHistograms()
        for (const row of await standing(ask, page.file, after)) histograms.take(row, JSON.parse(row.labels), () => undefined)
        histograms.flush(() => undefined)
      }
      known = rows.at(-1)!.seq
      const body = encodeMetrics(pointsOf(rows, histograms), await describe(agentsOf(rows)))
      return { body, rows: rows.length, last: known, hasMore: isFull }
    },
  }
}

// Where the counters of histograms stood at a row: a file begins with what they were before it.
async function standing(ask: Ask, file: OpenFile, after: number): Promise<SampleRow[]> {
  const columns = 'agent, spool, name, labels, value, ts, seq, coalesce(began, ts) AS began'
  const [samples, counters] = [`${quoted(file.name)}.samples`, `${quoted(file.name)}.counters`]
  const found = await reading(file, () =>
    ask(
      `SELECT agent::VARCHAR AS agent, spool, name, labels, false AS late, arg_max(value, seq) AS value, arg_max(ts, seq)::DOUBLE AS ts,
         max(seq)::DOUBLE AS seq, arg_max(began, seq)::DOUBLE AS began FROM
         (SELECT ${columns} FROM ${samples} WHERE seq <= ${after} AND increase IS NOT NULL UNION ALL SELECT ${columns} FROM ${counters})
       WHERE regexp_matches(name, '_(bucket|sum|count)$') GROUP BY agent, spool, name, labels ORDER BY name`,
      {},
    ),
  )
  return found as unknown as SampleRow[]
}

function agentsOf(rows: readonly { agent: string }[]): Set<string> {
  return new Set(rows.map(({ agent }) => agent))
}

// How many of the first rows make up a request; one at least.
function fitting(rows: readonly object[]): number {
  let characters = 0
  const index = rows.findIndex((row) => {
    for (const cell of Object.values(row)) if (typeof cell === 'string') characters += cell.length
    return characters > mostCharacters
  })
  return index < 0 ? rows.length : Math.max(1, index)
}
