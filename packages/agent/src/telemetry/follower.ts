import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs'
import { type LogBatchWriter, logBatchWriter } from '../link/batches.ts'
import type { Cut, Place, Progress } from './checkpoint.ts'
import { headOf } from './head.ts'
import { openHeldLines } from './held-lines.ts'
import { idOf, isRotatedByUs, type LogFile, onePerLog, openLogFiles, rotationOf } from './log-files.ts'
import { openUnpacking } from './unpacking.ts'
import { mayBeWritten } from './writers.ts'

/** How the lines of a log are understood. */
export interface LogKind {
  /** Adds whole lines to a batch, and returns how many. What is new is counted, too. */
  add(lines: Buffer, batch: LogBatchWriter, isNew: boolean): number
}

type Bytes = Uint8Array<ArrayBuffer>

/** Reads a log in the order it was written, from file to file as it is rotated, and cuts it into batches. */
export interface Follower {
  /** The next batch, if there is anything to read. Its lines are counted; the progress has it from now on. */
  cut(): { cut: Cut; bytes: Bytes } | undefined
  /** A batch once more, the same as it was; undefined while its lines are being unpacked. */
  again(cut: Cut): Bytes | undefined
  /** Notes that a batch needs no sending any more. */
  done(sequence: number): void
  /** Lets the oldest go, unsent but counted, while more than `most` bytes wait to be read. */
  trim(most: number): void
  /** Deletes rotated files of this agent that hold nothing any more that has to be sent. */
  prune(): void
  /** Bytes that wait to be read. */
  backlog(): number
}

interface Options {
  path: string
  /** A directory of this agent's own, for what a rotation would take away. */
  aside: string
  kind: LogKind
  progress: Progress
  /** The name of nginx's processes, who write the log. */
  processName: string
  /** When the progress was last saved, in milliseconds since the epoch. */
  savedAt: number
  /** When this process began, in milliseconds since the epoch: of a log that was never followed, copies packed before are not read. */
  startedAt: number
  /** Whether a log that was never followed is read from where it ends now. */
  fromEnd: boolean
  /** Bytes of a copy that may be unpacked. */
  mostUnpacked: number
  /** Told in words of lines that were never read and cannot be any more: how many is not known. */
  onLoss: (message: string) => void
}

const chunk = 262_144
const mostRead = 32

export function openFollower(options: Options): Follower {
  const { path, aside, kind, progress, processName, savedAt, startedAt, fromEnd, mostUnpacked, onLoss } = options
  const memory = Buffer.allocUnsafe(chunk)
  const logs = openLogFiles(path, aside)
  const held = openHeldLines(path, aside, progress.cuts)
  const unpacking = openUnpacking({
    log: path,
    aside,
    most: mostUnpacked,
    onUseless(file, reason) {
      logs.leaveOut(file)
      onLoss(`${file.path} cannot be unpacked: ${reason}`)
    },
  })
  // How long the log at the present place has been seen to be by this process.
  let seen: number | undefined

  // The files of the log, one for each of its contents; the one with this head is searched under any name.
  function contents(head: string | undefined, size: number): LogFile[] {
    const named = onePerLog(logs.list(), path, { head, size })
    if (head === undefined || named.some((file) => file.head === head)) return named
    return onePerLog(logs.list(head), path, { head, size })
  }

  // The file to read from, and those after it.
  function ahead(): LogFile[] {
    const files = contents(progress.place?.head, progress.place?.offset ?? 0)
    const place = (progress.place ??= begin(files))
    if (!place) return []
    const index = files.findIndex((file) => isOf(place, file))
    if (index < 0 && place.head !== undefined) tellLoss(place)
    const [first, ...others] = index >= 0 ? files.slice(index) : unread(files)
    if (place.head !== undefined && (index < 0 || place.file !== first?.id)) keep(place.head, index >= 0 ? first!.size : 0)
    if (!first) return []
    if (index < 0) progress.place = { file: first.id, head: first.head, offset: 0, since: place.since ?? savedAt }
    else {
      place.file = first.id
      place.head ??= first.head
    }
    seen = first.size
    return [first, ...others.filter((file) => !wasRead(file))]
  }

  function tellLoss({ offset }: Place): void {
    const words = `${path} was emptied or removed, and there is no copy that could be read`
    if (seen === undefined) onLoss(`${words}: what was written after it was read last is lost`)
    else if (seen > offset) onLoss(`${words}: ${seen - offset} bytes or more are lost`)
    seen = offset
  }

  function begin(files: readonly LogFile[]): Place | null {
    const first = fromEnd
      ? files.findLast(({ isPacked }) => !isPacked)
      : files.find((file) => !file.isPacked || rotationOf(file) > startedAt)
    if (!first) return null
    const before = files.slice(0, files.indexOf(first))
    return { file: first.id, head: first.head, offset: fromEnd ? first.size : 0, since: Math.max(0, ...before.map(rotationOf)) }
  }

  // Where the present place is gone or has no line yet: what was written since everything before it.
  function unread(files: readonly LogFile[]): LogFile[] {
    const { file, head, since = savedAt } = progress.place!
    const found = files.filter((each) => ((head === undefined && each.id === file) || rotationOf(each) > since) && !wasRead(each))
    // By a clock that was set back nothing is new.
    return found.length > 0 ? found : files.filter((each) => each.path === path)
  }

  function wasRead({ head }: LogFile): boolean {
    return head !== undefined && progress.read?.includes(head) === true
  }

  function goOn(from: LogFile, to: LogFile): void {
    if (from.head !== undefined) progress.read = [...(progress.read ?? []), from.head].slice(-mostRead)
    progress.place = { file: to.id, head: to.head, offset: 0, since: Math.max(progress.place?.since ?? savedAt, rotationOf(from)) }
    seen = to.size
  }

  // The log has been emptied: what is beyond the end of its copy is nowhere else.
  function keep(head: string, size: number): void {
    for (const cut of progress.cuts) if (cut.head === head && cut.end > size) held.keep(cut.sequence)
  }

  // Whole lines, in memory that the next call uses again.
  function next(): { lines: Buffer; file: LogFile; start: number; end: number } | undefined {
    let isOver = false
    for (;;) {
      const [file, following] = ahead()
      const { place } = progress
      if (!file || !place) return undefined
      if (file.isPacked) {
        if (file.size > place.offset || !following) {
          unpacking.begin(file)
          return
        }
        goOn(file, following)
        continue
      }
      // The copy was made before the last lines that were read of the log.
      if (file.size < place.offset) place.offset = file.size
      const length = read(file, place.offset, memory)
      if (length === undefined) continue
      const last = length === 0 ? -1 : memory.lastIndexOf(0x0a, length - 1)
      const whole = last >= 0 ? last + 1 : length === chunk || isOver ? length : 0
      if (whole > 0) return { lines: memory.subarray(0, whole), file, start: place.offset, end: place.offset + whole }
      if (!following) return undefined
      if (isOver) goOn(file, following)
      // What its last writer wrote meanwhile is read once more after that.
      else if (mayBeWritten(file, processName, Date.now())) return undefined
      isOver = !isOver
    }
  }

  function encode(lines: Buffer, sequence: number, isNew: boolean): { lines: number; bytes: Bytes } {
    const batch = logBatchWriter()
    return { lines: kind.add(lines, batch, isNew), bytes: batch.finish(progress.spool, sequence) }
  }

  // Undefined where the file has been emptied, or is another one by now.
  function read(file: LogFile, offset: number, into: Buffer): number | undefined {
    const length = readOf(file, offset, into)
    if (length === undefined) logs.doubt(file)
    return length
  }

  // What is there of the lines of a batch; undefined while they are being unpacked.
  function linesOf(cut: Cut): Buffer | undefined {
    const lines = held.of(cut.sequence)
    if (lines) return lines
    const part = Buffer.allocUnsafe(cut.end - cut.start)
    for (;;) {
      const file = contents(cut.head, cut.end).find((each) => isOf({ ...cut, offset: cut.end }, each))
      if (!file) return Buffer.alloc(0)
      if (file.isPacked) {
        unpacking.begin(file)
        return undefined
      }
      const length = read(file, cut.start, part)
      if (length === part.length) return part
      if (length !== undefined) return part.subarray(0, part.subarray(0, length).lastIndexOf(0x0a) + 1)
    }
  }

  return {
    cut() {
      const found = next()
      if (!found) return undefined
      const { file, start, end } = found
      const sequence = progress.last + 1
      const { lines, bytes } = encode(found.lines, sequence, true)
      const cut = { sequence, file: file.id, head: file.head, start, end, lines }
      held.hold(sequence, found.lines)
      progress.last = sequence
      progress.cuts.push(cut)
      progress.place = { ...progress.place, file: file.id, head: file.head, offset: end }
      return { cut, bytes }
    },
    again(cut) {
      const found = linesOf(cut)
      if (!found) return undefined
      const { lines, bytes } = encode(found, cut.sequence, false)
      // Some were emptied or deleted meanwhile. The number is used up all the same.
      progress.dropped += cut.lines - lines
      cut.lines = lines
      cut.end = cut.start + found.length
      return bytes
    },
    done(sequence) {
      progress.cuts = progress.cuts.filter((cut) => cut.sequence !== sequence)
      held.release(sequence)
    },
    trim(most) {
      for (;;) {
        const files = ahead()
        const [file, following] = files
        const { place } = progress
        if (!file || !following || !place || waiting(files, place.offset) <= most) return
        if (file.isPacked) return unpacking.begin(file)
        let length = read(file, place.offset, memory)
        for (; length; length = read(file, place.offset, memory)) {
          const last = memory.lastIndexOf(0x0a, length - 1)
          const whole = last >= 0 ? last + 1 : length
          progress.dropped += kind.add(memory.subarray(0, whole), logBatchWriter(), true)
          place.offset += whole
        }
        if (length === 0) goOn(file, following)
      }
    },
    prune() {
      const { place } = progress
      const files = logs.list()
      const present = place ? files.findIndex((file) => isOf(place, file) || file.id === place.file) : -1
      // What comes after the present one has not been read, also where it was not there a moment ago.
      for (const file of files.slice(0, Math.max(present, 0))) {
        const isNeeded = progress.cuts.some((cut) => (cut.head === undefined ? cut.file === file.id : cut.head === file.head))
        if (isRotatedByUs(file.path) && !isNeeded) rmSync(file.path, { force: true })
      }
    },
    backlog: () => waiting(ahead(), progress.place?.offset ?? 0),
  }
}

// Before its first whole line a log has nothing but its file to be known by.
function isOf({ file, head, offset }: { file: string; head?: string | undefined; offset: number }, found: LogFile): boolean {
  return head === undefined ? found.id === file && offset > 0 && found.size >= offset : found.head === head
}

function waiting(files: readonly LogFile[], offset: number): number {
  return Math.max(
    0,
    files.reduce((sum, { size }) => sum + size, -offset),
  )
}

// The head is looked at last: a log that still begins so was not emptied before.
function readOf({ path, id, head }: LogFile, offset: number, into: Buffer): number | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
  try {
    if (idOf(fstatSync(file)) !== id) return undefined
    const length = readSync(file, into, 0, into.length, offset)
    return head === undefined || headOf(file) === head ? length : undefined
  } finally {
    closeSync(file)
  }
}
