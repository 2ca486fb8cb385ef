import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { listFiles, pathOf, quarantine, removeFile } from './day-files.ts'
import { emptyRange, type Range } from './encode.ts'
import { loadState } from './load-state.ts'
import { literal, quoted } from './schema.ts'
import { newState, type State } from './state.ts'

export interface Limits {
  retentionDays: number
  mostBytes: number
}

/** A file that is attached, and the earliest and latest moment of its rows. */
export interface OpenFile {
  name: string
  times: { access: Range; errors: Range; samples: Range }
  /** Whether each request in it has its path, which a file of an earlier release has not. */
  hasPaths: boolean
  /** Queries that read it now; it is not let go before they are done. */
  readers: number
}

/** The store as its process has it. */
export interface Store {
  directory: string
  limits: Limits
  instance: DuckDBInstance
  /** Over which everything is written. */
  writer: DuckDBConnection
  /** Oldest first; rows go to the last. */
  files: OpenFile[]
  state: State
}

/** A file could not be read and was put aside. The process has to end: DuckDB is in no state to go on (duckdb-node-neo issue 393). */
export class Damaged extends Error {
  override name = 'Damaged'
}

// A process that dies while it opens a file may have been killed; one that does so again and again dies of the file.
const mostAttempts = 3

/** Opens every file of a directory. */
export async function openStore(directory: string, limits: Limits, now: number): Promise<Store> {
  const instance = await DuckDBInstance.create(':memory:', {
    // Writing gains nothing by more than one, and costs a quarter more.
    threads: '1',
    memory_limit: '1GB',
    temp_directory: join(directory, 'tmp'),
    preserve_insertion_order: 'false',
    checkpoint_threshold: '64MB',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const writer = await instance.connect()
  const files: OpenFile[] = []
  let state: State | undefined
  const note = join(directory, 'opening')
  for (const { name } of listFiles(directory).toReversed()) {
    const attempt = attemptsOf(note, name) + 1
    if (attempt > mostAttempts) putAside(directory, name, now, `it ended the process ${mostAttempts} times`)
    writeFileSync(note, `${name} ${attempt}`)
    try {
      const file = await openFile(writer, directory, name)
      if (!file) continue
      // A file begins with what those before it knew.
      state ??= await loadState(writer, name)
      files.unshift(file)
    } catch (error) {
      if (isDamage(error)) putAside(directory, name, now, (error as Error).message)
      throw error
    } finally {
      rmSync(note, { force: true })
    }
  }
  return { directory, limits, instance, writer, files, state: state ?? newState() }
}

async function openFile(writer: DuckDBConnection, directory: string, name: string): Promise<OpenFile | undefined> {
  await attach(writer, directory, name)
  const tables = await writer.runAndReadAll(`SELECT 1 FROM duckdb_tables() WHERE database_name = ${literal(name)}`)
  if (tables.currentRowCount === 0) {
    // The process died between making the file and filling it.
    await writer.run(`DETACH ${quoted(name)}`)
    removeFile(directory, name)
    return undefined
  }
  // A file from before counters had it.
  for (const table of ['samples', 'counters']) {
    if (!(await hasColumn(writer, name, table, 'began'))) await writer.run(`ALTER TABLE ${quoted(name)}.${table} ADD COLUMN began BIGINT`)
  }
  if (!(await hasColumn(writer, name, 'access', 'path'))) await writer.run(`ALTER TABLE ${quoted(name)}.access ADD COLUMN path VARCHAR`)
  const lacking = await writer.runAndReadAll(`SELECT 1 FROM ${quoted(name)}.access WHERE path IS NULL AND uri IS NOT NULL LIMIT 1`)
  const times = { access: emptyRange(), errors: emptyRange(), samples: emptyRange() }
  for (const table of ['access', 'errors', 'samples'] as const) {
    const read = await writer.runAndReadAll(`SELECT min(ts)::DOUBLE, max(ts)::DOUBLE FROM ${quoted(name)}.${table}`)
    const [min, max] = read.getRows()[0] as [number | null, number | null]
    if (min !== null && max !== null) times[table] = { min, max }
  }
  return { name, times, hasPaths: lacking.currentRowCount === 0, readers: 0 }
}

async function hasColumn(writer: DuckDBConnection, file: string, table: string, column: string): Promise<boolean> {
  const where = Object.entries({ database_name: file, table_name: table, column_name: column }).map(
    ([key, value]) => `${key} = ${literal(value)}`,
  )
  return (await writer.runAndReadAll(`SELECT 1 FROM duckdb_columns() WHERE ${where.join(' AND ')}`)).currentRowCount > 0
}

export async function attach(writer: DuckDBConnection, directory: string, name: string): Promise<void> {
  await writer.run(`ATTACH ${literal(pathOf(directory, name))} AS ${quoted(name)}`)
}

/** Whether an error speaks of what a file holds, and not of the room, the memory or the rights there are. */
export function isDamage(error: unknown): boolean {
  const { message } = error as Error
  if (/lock|no space|disk full|permission|too many open|out of memory|cannot allocate|could not allocate/i.test(message)) return false
  return /corrupt|checksum|not a valid DuckDB|serializ|replay|WAL|INTERNAL|Could not read|Catalog Error|invalid|truncated/i.test(message)
}

/** Whether an error, met while reading or writing, speaks of a file that does not hold what was written. */
export function isCorruption(error: unknown): boolean {
  return /corrupt|checksum/i.test((error as Error).message)
}

/** Looks for the file that cannot be read, after something could not be read, and puts it aside. */
export async function putDamagedAside(store: Store, now: number): Promise<void> {
  for (const { name } of store.files) {
    for (const table of ['access', 'errors', 'samples', 'batches', 'counters']) {
      try {
        await store.writer.run(`SELECT bit_xor(hash(rows)) FROM ${quoted(name)}.${table} AS rows`)
      } catch (error) {
        if (isCorruption(error)) putAside(store.directory, name, now, (error as Error).message)
      }
    }
  }
}

function putAside(directory: string, name: string, now: number, reason: string): never {
  quarantine(directory, name, now)
  rmSync(join(directory, 'opening'), { force: true })
  throw new Damaged(`${name} was put aside: ${reason}`)
}

function attemptsOf(note: string, name: string): number {
  try {
    const [noted, attempts] = readFileSync(note, 'utf8').split(' ')
    return noted === name ? Number(attempts) : 0
  } catch {
    return 0
  }
}
