import { logRowCells } from '@nxmesh/proto/log-rows'

export { logRowCells }

/** Rows of a batch of logs in the bytes they came in. */
export interface LogRows {
  /** For each row: where it begins, where its first cell ends, where it ends, and 1 if its cells are what they say, without escapes. */
  places: number[]
}

const perRow = 4
const [newline, tab, quote, backslash, zero, nine] = [0x0a, 0x09, 0x22, 0x5c, 0x30, 0x39] as const
const longestCell = 8192
// The longest a number of a cell may be to be taken without a second look; 0 where the cell is text.
const digits = logRowCells.map((name) => {
  if (name === 'status') return 3
  return ['timestamp', 'request_bytes', 'bytes_sent', 'response_time_ms', 'body_bytes_sent'].includes(name) ? 15 : 0
})

/** Finds the rows of a batch; a reason where something is no row. */
export function readRows(bytes: Uint8Array, start: number, end: number): LogRows | { reason: string } {
  const places: number[] = []
  for (let at = start; at < end; ) {
    const place = `rows.${places.length / perRow}`
    const begins = at
    let [cell, cellStart, firstEnd] = [0, at, -1]
    let isPlain = true
    for (; at < end && bytes[at] !== newline; at++) {
      const byte = bytes[at]!
      if (byte === tab) {
        if (cell === 0) firstEnd = at
        if (at - cellStart > (digits[cell] || longestCell)) isPlain = false
        cell++
        cellStart = at + 1
      } else if (byte < 0x20) return { reason: `${place} must hold no control characters` }
      else if (digits[cell]! > 0 ? byte < zero || byte > nine : byte === quote || byte === backslash) isPlain = false
    }
    if (at === end) return { reason: `${place} must end with a line feed` }
    if (cell !== logRowCells.length - 1) return { reason: `${place} must have ${logRowCells.length} cells` }
    if (at - cellStart > longestCell) isPlain = false
    if (!isTime(bytes, begins, firstEnd)) return { reason: `${place} must begin with milliseconds since the epoch` }
    places.push(begins, firstEnd, at, isPlain ? 1 : 0)
    at++
  }
  return { places }
}

/** Visits the rows that were found. */
export function eachRow({ places }: LogRows, visit: (start: number, firstEnd: number, end: number, isPlain: boolean) => void): void {
  for (let index = 0; index < places.length; index += perRow) {
    visit(places[index]!, places[index + 1]!, places[index + 2]!, places[index + 3] === 1)
  }
}

/** A whole number in decimal digits. */
export function numberAt(bytes: Uint8Array, start: number, end: number): number {
  let number = 0
  for (let at = start; at < end; at++) number = number * 10 + bytes[at]! - zero
  return number
}

/** The texts of a row that is not plain; undefined where the cell is empty. What is no inside of a JSON string is taken as it stands. */
export function cellsOf(bytes: Buffer, start: number, end: number): (string | undefined)[] {
  return bytes
    .toString('utf8', start, end)
    .split('\t')
    .map((cell) => (cell === '' ? undefined : cell.includes('\\') ? unescaped(cell) : cell))
}

function unescaped(cell: string): string {
  try {
    return JSON.parse(`"${cell}"`) as string
  } catch {
    return cell
  }
}

// Up to thirteen digits: until the year 2286.
function isTime(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 1 || end - start > 13) return false
  for (let at = start; at < end; at++) if (bytes[at]! < zero || bytes[at]! > nine) return false
  return true
}
