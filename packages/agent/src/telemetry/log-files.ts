import { closeSync, openSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { headOf, packedHeadOf } from './head.ts'

/** A log, what it was before it was rotated, or a copy of that. */
export interface LogFile {
  path: string
  /** Device and inode: it keeps them when it is renamed. */
  id: string
  /** What the log in it is known by, wherever it is copied to; undefined before its first whole line. */
  head: string | undefined
  size: number
  changedAt: number
  /** Whether it is packed with gzip. Its size is that of the log in it. */
  isPacked: boolean
}

/** The files of one log. */
export interface LogFiles {
  /** In the order they were written in; the one that is written now is the last. With a head, those of any name that have it are among them. */
  list(head?: string): LogFile[]
  /** Leaves a file out as long as it is as it is: it turned out to be of no use. */
  leaveOut(file: LogFile): void
  /** Notes that the head of a file is not what it seemed. */
  doubt(file: LogFile): void
}

const packed = /\.gz$/
const packedOtherwise = /\.(bz2|xz|zst|lz4|lzma|Z)$/
const mostLooks = 10
const ours = /\.\d{13}$/

/** @param aside Where this agent puts what it has to unpack. */
export function openLogFiles(path: string, aside: string): LogFiles {
  const isNamedSo = namesOf(basename(path))
  const leftOut = new Set<string>()
  // Of those seen last, by id.
  let heads = new Map<string, Known>()

  function look(head: string | undefined): LogFile[] {
    const seen: typeof heads = new Map()
    // Looked at first: if it is renamed or copied meanwhile, it is seen here or there.
    const present = fileAt(path, seen)
    const files: LogFile[] = []
    const add = (place: string, isWanted: (file: LogFile) => boolean) => {
      const file = fileAt(place, seen)
      if (file && isWanted(file) && !leftOut.has(stampOf(file))) files.push(file)
    }
    for (const name of readdirSync(dirname(path))) {
      if (name === basename(path)) continue
      if (isNamedSo(name)) add(join(dirname(path), name), () => true)
      else if (head !== undefined) add(join(dirname(path), name), (file) => file.head === head)
    }
    for (const name of readdirSync(aside)) if (isNamedSo(name) && isRotatedByUs(name)) add(join(aside, name), () => true)
    heads = seen
    files.sort((a, b) => rotationOf(a) - rotationOf(b) || (a.path < b.path ? -1 : 1))
    return present && !files.some(({ id }) => id === present.id) ? [...files, present] : files
  }

  function fileAt(place: string, seen: typeof heads): LogFile | undefined {
    const found = statSync(place, { throwIfNoEntry: false })
    if (!found?.isFile()) return undefined
    const id = idOf(found)
    const stamp = `${found.size} ${found.mtimeMs} ${found.ctimeMs}`
    const before = heads.get(id)
    const known = before?.stamp === stamp ? before : learn(place, found.size, stamp)
    if (!known) return undefined
    seen.set(id, known)
    // Of one that is still being packed, or holds no line, there is nothing to read yet.
    if (known.head === undefined && packed.test(place)) return undefined
    return { path: place, id, head: known.head, size: known.size, changedAt: found.mtimeMs, isPacked: packed.test(place) }
  }

  return {
    list(head) {
      let files = look(head)
      // Whoever renames or empties files while they are looked at can hide one of them.
      for (let looks = 0; looks < mostLooks; looks++) {
        const before = files
        files = look(head)
        if (files.length === before.length && files.every((file, index) => isSame(file, before[index]!))) break
      }
      return files
    },
    leaveOut: (file) => void leftOut.add(stampOf(file)),
    doubt: ({ id }) => void heads.delete(id),
  }
}

/** One file of each log: of several that begin alike the one that holds most; a packed one where no other goes as far as is needed, or all of the other was read. */
export function onePerLog(files: readonly LogFile[], path: string, need: { head: string | undefined; size: number }): LogFile[] {
  const best = new Map<string, LogFile>()
  const isPackedBetter = (one: LogFile, other: LogFile) =>
    other.head === need.head && (other.size < need.size || (other.size === need.size && one.size > other.size))
  const isBetter = (file: LogFile, other: LogFile) => {
    if (file.isPacked && !other.isPacked) return isPackedBetter(file, other)
    if (other.isPacked && !file.isPacked) return !isPackedBetter(other, file)
    return file.size === other.size ? file.path === path : file.size > other.size
  }
  for (const file of files) {
    const key = file.head ?? file.id
    const other = best.get(key)
    if (!other || isBetter(file, other)) best.set(key, file)
  }
  return files.filter((file) => best.get(file.head ?? file.id) === file)
}

interface Known {
  stamp: string
  head: string | undefined
  size: number
}

function learn(path: string, size: number, stamp: string): Known | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'EACCES' || code === 'EPERM') return { stamp, head: undefined, size }
    throw cause
  }
  try {
    return packed.test(path) ? { stamp, ...packedHeadOf(file, size) } : { stamp, head: headOf(file), size }
  } finally {
    closeSync(file)
  }
}

/** What a rotated log or a copy is called: access.log.1, access.log-20260301, access.1.log, each also packed. */
function namesOf(log: string): (name: string) => boolean {
  const [stem, ending] = log.split(/(?=\.[^.]*$)/).map((part) => RegExp.escape(part)) as [string, string | undefined]
  const numbered = new RegExp(`^${stem}[.-]\\d[\\d.-]*${ending ?? ''}(\\.gz)?$`)
  return (name) => (name.startsWith(`${log}.`) || name.startsWith(`${log}-`) || numbered.test(name)) && !packedOtherwise.test(name)
}

/** When what is in a file was written last. One that we rotated tells when; a late writer may still change it. */
export function rotationOf({ path, changedAt }: LogFile): number {
  return isRotatedByUs(path) ? Number(path.slice(-13)) : changedAt
}

/** Where this agent puts a log that it rotates, and whether a file is one of those. */
export function rotatedName(path: string, now: number): string {
  return `${path}.${String(now).padStart(13, '0')}`
}

export function isRotatedByUs(path: string): boolean {
  return ours.test(path)
}

export function idOf({ dev, ino }: { dev: number; ino: number }): string {
  return `${dev}:${ino}`
}

function isSame(a: LogFile, b: LogFile): boolean {
  return a.id === b.id && a.path === b.path && a.head === b.head
}

function stampOf({ id, size, changedAt }: LogFile): string {
  return `${id} ${size} ${changedAt}`
}
