import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Batch, Taken } from './batch.ts'
import { currentName, expired, listFiles, removeFile } from './day-files.ts'
import { emptyRange, encode, type Range, widen } from './encode.ts'
import { attach, type OpenFile, type Store } from './open-store.ts'
import { creation, insertion, quoted, type Table } from './schema.ts'
import { forgetOld } from './state.ts'
import { newTsv, type Tsv } from './tsv.ts'

// So that the oldest can go without taking much with it.
const filesInAll = 8
const smallestFile = 64 * 1_048_576

export interface Committed {
  outcomes: Taken[]
  /** Rows that could not be written although their batch was good. */
  lost: number
}

/** Makes batches durable, all in one transaction. After an error the state is ahead of the rows, and the process has to end. */
export async function commit(store: Store, batches: Batch[], now: number): Promise<Committed> {
  const file = await currentFile(store, now)
  const { outcomes, rows, times } = encode(store.state, batches, now)
  const filled = Object.entries(rows).filter(([, tsv]) => tsv.rows > 0) as [Table, Tsv][]
  if (filled.length === 0) return { outcomes, lost: 0 }
  await store.writer.run('BEGIN')
  const lost = await insert(store, file.name, filled)
  await store.writer.run('COMMIT')
  for (const table of ['access', 'errors', 'samples'] as const) widen(file.times[table], times[table])
  return { outcomes, lost }
}

async function insert(store: Store, file: string, filled: [Table, Tsv][]): Promise<number> {
  let lost = 0
  for (const [table, tsv] of filled) {
    const path = join(store.directory, `${table}.tsv`)
    writeFileSync(path, tsv.content(), { mode: 0o600 })
    const { rowsChanged } = await store.writer.run(insertion(file, table, path))
    lost += tsv.rows - rowsChanged
  }
  return lost
}

async function currentFile(store: Store, now: number): Promise<OpenFile> {
  const newest = store.files.at(-1)
  const size = Math.max(smallestFile, store.limits.mostBytes / filesInAll)
  const name = currentName(listFiles(store.directory), now, size)
  if (newest && newest.name === name) return newest
  forgetOld(store.state, now, store.limits.retentionDays)
  await attach(store.writer, store.directory, name)
  await store.writer.run('BEGIN')
  for (const statement of creation(name)) await store.writer.run(statement)
  await insert(store, name, Object.entries(knowledge(store)).filter(([, tsv]) => tsv.rows > 0) as [Table, Tsv][])
  await store.writer.run('COMMIT')
  const times = { access: emptyRange(), errors: emptyRange(), samples: emptyRange() }
  const file: OpenFile = { name, times, hasPaths: true, readers: 0 }
  store.files.push(file)
  // Its log is as good; without one it opens sooner.
  if (newest) await store.writer.run(`CHECKPOINT ${quoted(newest.name)}`).catch(() => undefined)
  return file
}

// What has to be known of the rows in other files, which may go before this one.
function knowledge({ state }: Store): { batches: Tsv; counters: Tsv } {
  const [batches, counters] = [newTsv(), newTsv()]
  for (const { agent, kind, spool, ranges, at } of state.marks.values()) {
    for (const [first, last] of ranges) {
      for (const text of [agent, kind]) batches.plain(text)
      batches.text(spool)
      for (const number of [first, last, at]) batches.plain(String(number))
      batches.endRow()
    }
  }
  for (const { agent, spool, name, labels, value, sequence, time, seq, began } of state.counters.values()) {
    counters.plain(agent)
    for (const text of [spool, name, labels]) counters.text(text)
    for (const number of [value, sequence, time, seq, began]) counters.plain(String(number))
    counters.endRow()
  }
  return { batches, counters }
}

/** Deletes the files that have had their time or have no room, each after `leaving` had a last look. */
export async function retire(store: Store, now: number, leaving?: (file: OpenFile) => Promise<void>): Promise<string[]> {
  const gone = expired(listFiles(store.directory), now, store.limits)
  const retired: string[] = []
  for (const name of gone) {
    const file = store.files.find((candidate) => candidate.name === name)
    // Whoever reads it is let finish; it goes the next time.
    if (file && file.readers > 0) continue
    if (file) {
      store.files.splice(store.files.indexOf(file), 1)
      await leaving?.(file)
      await store.writer.run(`DETACH ${quoted(name)}`)
    }
    removeFile(store.directory, name)
    retired.push(name)
  }
  return retired
}

/** The files with rows of a table in a window of time, oldest first. */
export function filesWithin(store: Store, table: keyof OpenFile['times'], from: number, to: number): OpenFile[] {
  const overlaps = ({ min, max }: Range) => min < to && max >= from
  return store.files.filter(({ times }) => overlaps(times[table]))
}
