import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** A log, or what it was before it was rotated. */
export interface LogFile {
  path: string
  /** Device and inode: it keeps them when it is renamed. */
  id: string
  size: number
  changedAt: number
}

const compressed = /\.(gz|bz2|xz|zst)$/
const mostLooks = 10
const ours = /\.\d{13}$/

/** A log and its former files, in the order they were written in; the one that is written now is the last. */
export function logFiles(path: string): LogFile[] {
  let files = look(path)
  // Whoever renames files while they are looked at can hide one of them.
  for (let looks = 0; looks < mostLooks; looks++) {
    const before = files
    files = look(path)
    if (
      files.length === before.length &&
      files.every(({ id, path: place }, index) => id === before[index]!.id && place === before[index]!.path)
    )
      break
  }
  return files
}

function look(path: string): LogFile[] {
  const name = basename(path)
  const files: LogFile[] = []
  // Looked at first: if it is renamed meanwhile, it is seen here or there.
  const present = fileAt(path)
  for (const other of readdirSync(dirname(path))) {
    if (!other.startsWith(`${name}.`) || compressed.test(other)) continue
    const file = fileAt(join(dirname(path), other))
    if (file) files.push(file)
  }
  files.sort((a, b) => rotationOf(a) - rotationOf(b) || (a.path < b.path ? -1 : 1))
  return present && !files.some(({ id }) => id === present.id) ? [...files, present] : files
}

// One that we rotated tells when; a late writer may still change it.
function rotationOf({ path, changedAt }: LogFile): number {
  return isRotatedByUs(path) ? Number(path.slice(-13)) : changedAt
}

/** Where this agent puts a log that it rotates, and whether a file is one of those. */
export function rotatedName(path: string, now: number): string {
  return `${path}.${String(now).padStart(13, '0')}`
}

export function isRotatedByUs(path: string): boolean {
  return ours.test(path)
}

// nginx's processes let go of a rotated log one after another. Where they cannot be looked at, quiet has to do.
const quietMs = 10_000

/** Whether some process of nginx may still write to a file. */
export function mayBeWritten({ id, changedAt }: LogFile, processName: string, now: number): boolean {
  let blind = false
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || nameOf(pid) !== processName.slice(0, 15)) continue
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) if (idAt(`/proc/${pid}/fd/${fd}`) === id) return true
    } catch (cause) {
      // One that has just ended has no files any more.
      if ((cause as NodeJS.ErrnoException).code === 'EACCES') blind = true
    }
  }
  return blind && now - changedAt < quietMs
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return ''
  }
}

function idAt(path: string): string | undefined {
  try {
    if (!readlinkSync(path).startsWith('/')) return undefined
  } catch {
    return undefined
  }
  const found = statSync(path, { throwIfNoEntry: false })
  return found && idOf(found)
}

function fileAt(path: string): LogFile | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return found?.isFile() ? { path, id: idOf(found), size: found.size, changedAt: found.mtimeMs } : undefined
}

export function idOf({ dev, ino }: { dev: number; ino: number }): string {
  return `${dev}:${ino}`
}
