import { readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** A file of the store. It is named by the day on which it was begun (UTC) and, if that was not the first of the day, a number. */
export interface DayFile {
  name: string
  bytes: number
}

const day = 86_400_000
const pattern = /^(\d{4}-\d{2}-\d{2})(?:\.(\d+))?\.duckdb$/

/** The files in a directory, oldest first, with what their write-ahead logs hold. */
export function listFiles(directory: string): DayFile[] {
  const entries = readdirSync(directory)
  return entries
    .filter((entry) => pattern.test(entry))
    .map((entry) => ({
      name: entry.slice(0, -'.duckdb'.length),
      bytes: sizeOf(join(directory, entry)) + sizeOf(join(directory, `${entry}.wal`)),
    }))
    .sort((a, b) => compareNames(a.name, b.name))
}

/** How many files were put aside because they could not be read. */
export function countQuarantined(directory: string): number {
  return readdirSync(directory).filter((entry) => /\.damaged-\d+$/.test(entry)).length
}

export function pathOf(directory: string, name: string): string {
  return join(directory, `${name}.duckdb`)
}

/** The name of the file that rows go to now: the newest, unless it is of another day or full. */
export function currentName(files: DayFile[], now: number, mostBytes: number): string {
  const today = new Date(now).toISOString().slice(0, 10)
  const newest = files.at(-1)
  // A clock that was set back does not open a file before the newest.
  if (!newest || newest.name.slice(0, 10) < today) return today
  if (newest.bytes < mostBytes) return newest.name
  const [date, number] = partsOf(newest.name)
  return `${date}.${number + 1}`
}

/** The files that have had their time or have no room, oldest first; never the newest. */
export function expired(files: DayFile[], now: number, limits: { retentionDays: number; mostBytes: number }): string[] {
  const oldestDay = new Date(now - limits.retentionDays * day).toISOString().slice(0, 10)
  let total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  return files
    .slice(0, -1)
    .filter(({ name, bytes }) => {
      if (name.slice(0, 10) >= oldestDay && total <= limits.mostBytes) return false
      total -= bytes
      return true
    })
    .map(({ name }) => name)
}

/** Puts a file aside under another name, with its log. */
export function quarantine(directory: string, name: string, now: number): void {
  for (const path of [`${pathOf(directory, name)}.wal`, pathOf(directory, name)]) {
    try {
      renameSync(path, `${path}.damaged-${now}`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}

export function removeFile(directory: string, name: string): void {
  for (const path of [pathOf(directory, name), `${pathOf(directory, name)}.wal`]) rmSync(path, { force: true })
}

function partsOf(name: string): [date: string, number: number] {
  const [date = '', number = '1'] = name.split('.')
  return [date, Number(number)]
}

function compareNames(a: string, b: string): number {
  const [[dateA, numberA], [dateB, numberB]] = [partsOf(a), partsOf(b)]
  return dateA < dateB ? -1 : dateA > dateB ? 1 : numberA - numberB
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
