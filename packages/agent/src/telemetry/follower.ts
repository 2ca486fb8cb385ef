import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs'
import { type LogBatchWriter, logBatchWriter } from '../link/batches.ts'
import type { Cut, Progress } from './checkpoint.ts'
import { idOf, isRotatedByUs, type LogFile, logFiles, mayBeWritten } from './log-files.ts'

/** How the lines of a log are understood. */
export interface LogKind {
  /** Adds whole lines to a batch, and returns how many. What is new is counted, too. */
  add(lines: Buffer, batch: LogBatchWriter, isNew: boolean): number
}

/** Reads a log in the order it was written, from file to file as it is rotated, and cuts it into batches. */
export interface Follower {
  /** The next batch, if there is anything to read. Its lines are counted; the progress has it from now on. */
  cut(): { cut: Cut; bytes: Uint8Array<ArrayBuffer> } | undefined
  /** A batch once more, the same as it was. */
  again(cut: Cut): Uint8Array<ArrayBuffer>
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
  kind: LogKind
  progress: Progress
  /** The name of nginx's processes, who write the log. */
  processName: string
  /** When the progress was last saved, in milliseconds since the epoch. */
  savedAt: number
  /** Whether a log that was never followed is read from where it ends now. */
  fromEnd: boolean
}

const chunk = 262_144

export function openFollower({ path, kind, progress, processName, savedAt, fromEnd }: Options): Follower {
  const memory = Buffer.allocUnsafe(chunk)

  // The file to read from, and those after it.
  function ahead(): LogFile[] {
    const files = logFiles(path)
    if (!progress.place) {
      const first = fromEnd ? files.at(-1) : files[0]
      if (!first) return []
      progress.place = { file: first.id, offset: fromEnd ? first.size : 0 }
    }
    const { file } = progress.place
    const index = files.findIndex(({ id }) => id === file)
    if (index >= 0) return files.slice(index)
    // It is gone. What was written since is not known from before.
    const rest = files.filter(({ changedAt }) => changedAt > savedAt)
    const next = rest[0] ?? files.at(-1)
    if (!next) return []
    progress.place = { file: next.id, offset: 0 }
    return files.slice(files.indexOf(next))
  }

  // Whole lines, in memory that the next call uses again.
  function next(): { lines: Buffer; file: LogFile; start: number; end: number } | undefined {
    let isOver = false
    for (;;) {
      const [file, following] = ahead()
      const { place } = progress
      if (!file || !place) return undefined
      // It was emptied in place.
      if (file.size < place.offset) place.offset = 0
      const length = read(file, place.offset, memory)
      if (length === undefined) continue
      const last = length === 0 ? -1 : memory.lastIndexOf(0x0a, length - 1)
      const whole = last >= 0 ? last + 1 : length === chunk || isOver ? length : 0
      if (whole > 0) return { lines: memory.subarray(0, whole), file, start: place.offset, end: place.offset + whole }
      if (!following) return undefined
      if (isOver) progress.place = { file: following.id, offset: 0 }
      // What its last writer wrote meanwhile is read once more after that.
      else if (mayBeWritten(file, processName, Date.now())) return undefined
      isOver = !isOver
    }
  }

  function encode(lines: Buffer, sequence: number, isNew: boolean): { lines: number; bytes: Uint8Array<ArrayBuffer> } {
    const batch = logBatchWriter()
    return { lines: kind.add(lines, batch, isNew), bytes: batch.finish(progress.spool, sequence) }
  }

  return {
    cut() {
      const found = next()
      if (!found) return undefined
      const { file, start, end } = found
      const sequence = progress.last + 1
      const { lines, bytes } = encode(found.lines, sequence, true)
      const cut = { sequence, file: file.id, start, end, lines }
      progress.last = sequence
      progress.cuts.push(cut)
      progress.place = { file: file.id, offset: end }
      return { cut, bytes }
    },
    again(cut) {
      const part = Buffer.allocUnsafe(cut.end - cut.start)
      let length: number | undefined
      let file: LogFile | undefined
      do {
        file = logFiles(path).find(({ id }) => id === cut.file)
        length = file && read(file, cut.start, part)
      } while (file && length === undefined)
      if (length === part.length) return encode(part, cut.sequence, false).bytes
      // Emptied or deleted meanwhile. The number is used up all the same.
      progress.dropped += cut.lines
      return encode(Buffer.alloc(0), cut.sequence, false).bytes
    },
    done(sequence) {
      progress.cuts = progress.cuts.filter((cut) => cut.sequence !== sequence)
    },
    trim(most) {
      for (;;) {
        const files = ahead()
        const [file, following] = files
        const { place } = progress
        if (!file || !following || !place || waiting(files, place.offset) <= most) return
        for (let length = read(file, place.offset, memory); length; length = read(file, place.offset, memory)) {
          const last = memory.lastIndexOf(0x0a, length - 1)
          const whole = last >= 0 ? last + 1 : length
          progress.dropped += kind.add(memory.subarray(0, whole), logBatchWriter(), true)
          place.offset += whole
        }
        progress.place = { file: following.id, offset: 0 }
      }
    },
    prune() {
      const files = logFiles(path)
      const present = files.findIndex(({ id }) => id === progress.place?.file)
      const needed = new Set(progress.cuts.map(({ file }) => file))
      // What comes after the present one has not been read, also where it was not there a moment ago.
      for (const file of files.slice(0, Math.max(present, 0))) {
        if (isRotatedByUs(file.path) && !needed.has(file.id)) rmSync(file.path, { force: true })
      }
    },
    backlog: () => waiting(ahead(), progress.place?.offset ?? 0),
  }
}

function waiting(files: readonly LogFile[], offset: number): number {
  return files.reduce((sum, { size }) => sum + size, -offset)
}

// Undefined where the file is another one by now.
function read({ path, id }: LogFile, offset: number, into: Buffer): number | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
  try {
    if (idOf(fstatSync(file)) !== id) return undefined
    return readSync(file, into, 0, into.length, offset)
  } finally {
    closeSync(file)
  }
}
