import type { OpenFile, Store } from '../open-store.ts'
import { quoted } from '../schema.ts'
import type { Ask } from '../sql.ts'

export type ExportedTable = keyof OpenFile['times']

export interface Page<Row> {
  /** In the order of their numbers, all from one file. */
  rows: Row[]
  file: OpenFile
}

/** What to read besides time, number and agent: expressions by their names. */
export type Columns<Row> = Record<Exclude<keyof Row, 'ts' | 'seq' | 'agent'>, string>

export type ReadAfter = <Row>(table: ExportedTable, columns: Columns<Row>, after: number, limit: number) => Promise<Page<Row> | undefined>

/** Reads the rows of a store in the order in which they came, each time those after a number. */
export function openReading(store: Store, ask: Ask): ReadAfter {
  // Nothing is added any more to a file that another one follows.
  const done = new Set<string>()
  return async <Row>(table: ExportedTable, columns: Columns<Row>, after: number, limit: number) => {
    const all = { ts: 'ts', seq: 'seq', agent: 'agent::VARCHAR', ...columns }
    const files = store.files.slice()
    for (const file of files) {
      const key = `${file.name} ${table}`
      // It may have been let go meanwhile.
      if (done.has(key) || !store.files.includes(file)) continue
      const isLast = file === store.files.at(-1)
      const rows = await reading(file, () => ask(pageOf(file.name, table, Object.values(all), after, limit), {}))
      if (rows.length > 0) return { rows: rows.map(({ cells }) => rowOf(Object.keys(all), cells)) as Row[], file }
      if (!isLast) done.add(key)
    }
    return undefined
  }
}

/** Keeps a file from being let go meanwhile. */
export async function reading<T>(file: OpenFile, read: () => Promise<T>): Promise<T> {
  file.readers++
  try {
    return await read()
  } finally {
    file.readers--
  }
}

// Which rows first, and their columns then: only the numbers are read of those that are not taken. A row comes as one text, which takes
// half the time of fetching each text in it.
function pageOf(file: string, table: string, columns: string[], after: number, limit: number): string {
  const from = `${quoted(file)}.${table}`
  return `SELECT json_array(${columns.join(', ')})::VARCHAR AS cells FROM ${from} WHERE rowid IN
    (SELECT rowid FROM ${from} WHERE seq > ${after} ORDER BY seq LIMIT ${limit}) ORDER BY seq`
}

function rowOf(names: string[], cells: unknown): Record<string, unknown> {
  const values = JSON.parse(cells as string) as unknown[]
  const row: Record<string, unknown> = {}
  for (let index = 0; index < names.length; index++) row[names[index]!] = values[index]
  return row
}

/** How many rows of a file have a number above this. */
export async function countAfter(ask: Ask, file: string, table: string, after: number): Promise<number> {
  const [row] = await ask(`SELECT count(*)::DOUBLE AS count FROM ${quoted(file)}.${table} WHERE seq > ${after}`, {})
  return (row as { count: number }).count
}
