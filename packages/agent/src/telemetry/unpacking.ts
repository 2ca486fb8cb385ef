import { createReadStream, createWriteStream, existsSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { type LogFile, rotatedName } from './log-files.ts'

/** Unpacks copies of a log, one at a time. */
export interface Unpacking {
  /** Begins with a copy, unless one is under way; where the last one failed for a reason that may pass, throws that once. */
  begin(file: LogFile): void
}

interface Options {
  /** The log whose copies they are. */
  log: string
  /** Where the unpacked ones go, named as those that this agent rotates. */
  aside: string
  /** Bytes that may be unpacked. */
  most: number
  /** Told of a file that is damaged or too large. */
  onUseless: (file: LogFile, reason: string) => void
}

export function openUnpacking({ log, aside, most, onUseless }: Options): Unpacking {
  const unfinished = join(aside, `${basename(log)}.part`)
  rmSync(unfinished, { force: true })
  let isBusy = false
  let trouble: Error | undefined

  async function* limited(chunks: AsyncIterable<Buffer>) {
    let length = 0
    for await (const chunk of chunks) {
      length += chunk.length
      if (length > most) throw new TooLarge(`it holds more than ${most} bytes`)
      yield chunk
    }
  }

  async function unpack({ path, changedAt }: LogFile): Promise<void> {
    await pipeline(createReadStream(path), createGunzip(), limited, createWriteStream(unfinished, { mode: 0o600, flush: true }))
    let name = rotatedName(join(aside, basename(log)), Math.ceil(changedAt))
    for (let next = changedAt; existsSync(name); ) name = rotatedName(join(aside, basename(log)), Math.ceil(++next))
    renameSync(unfinished, name)
  }

  return {
    begin(file) {
      if (trouble) {
        const cause = trouble
        trouble = undefined
        throw cause
      }
      if (isBusy) return
      isBusy = true
      unpack(file)
        .catch((cause: NodeJS.ErrnoException) => {
          rmSync(unfinished, { force: true })
          if (cause instanceof TooLarge || cause.code?.startsWith('Z_')) onUseless(file, cause.message)
          // It has another name by now.
          else if (cause.code !== 'ENOENT') trouble = cause
        })
        .finally(() => {
          isBusy = false
        })
    },
  }
}

class TooLarge extends Error {
  override name = 'TooLarge'
}
