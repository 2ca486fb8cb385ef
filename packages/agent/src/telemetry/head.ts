import { createHash } from 'node:crypto'
import { readSync } from 'node:fs'
import { constants, gunzipSync } from 'node:zlib'

const most = 4096
// What gzip puts before the first byte, and the name that it keeps.
const mostPackedHead = most + 1024

/**
 * What tells a log from every other one, in whatever file it is: its first line, which has a time and mostly a number of its own and never
 * changes. Undefined while there is no whole line.
 */
export function headOf(file: number): string | undefined {
  return hash(readStart(file, most))
}

/** The same of a log that was packed with gzip, and how long it says the whole is. Source: RFC 1952, "ISIZE". */
export function packedHeadOf(file: number, size: number): { head: string | undefined; size: number } {
  const end = Buffer.alloc(4)
  readSync(file, end, 0, 4, Math.max(0, size - 4))
  return { head: hash(unpackStart(readStart(file, mostPackedHead))), size: end.readUInt32LE() }
}

function readStart(file: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  return bytes.subarray(0, readSync(file, bytes, 0, length, 0))
}

function unpackStart(bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })
  } catch {
    return Buffer.alloc(0)
  }
}

function hash(bytes: Buffer): string | undefined {
  const newline = bytes.subarray(0, most).indexOf(0x0a)
  if (newline < 0 && bytes.length < most) return undefined
  const line = bytes.subarray(0, newline < 0 ? most : newline + 1)
  return createHash('sha256').update(line).digest('base64url').slice(0, 22)
}
