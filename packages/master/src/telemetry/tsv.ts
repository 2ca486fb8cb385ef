import { isUtf8 } from 'node:buffer'

const tab = 0x09
const newline = 0x0a
const quote = 0x22
const none = Buffer.from('\\N')

/** Rows as tab-separated text in UTF-8, put together from bytes: what was received as text is never made into strings. */
export interface Tsv {
  readonly rows: number
  /** A cell: text without tabs, line ends and quotes. */
  plain(text: string): void
  /** A cell: any bytes, cut after `most` of them. */
  bytes(source: Uint8Array, start: number, end: number, most?: number): void
  /** Cells that are parted by tabs and need no quotes; empty ones have no value. */
  cells(source: Uint8Array, start: number, end: number): void
  /** A cell: any text. */
  text(text: string): void
  /** A cell without a value. */
  none(): void
  endRow(): void
  /** What was written so far. The rows that follow come after it in the same memory. */
  content(): Uint8Array
}

// What needs no quotes: it holds none, no tab and no line end, and is neither empty nor what stands for no value.
function isPlain(source: Uint8Array, start: number, end: number): boolean {
  if (start === end || source[start] === 0x5c) return false
  for (let at = start; at < end; at++) if (source[at]! < 0x20 || source[at] === quote) return false
  return true
}

export function newTsv(): Tsv {
  let memory = Buffer.allocUnsafe(1 << 16)
  let length = 0
  let rows = 0

  function room(more: number) {
    if (length + more <= memory.length) return
    const larger = Buffer.allocUnsafe(Math.max(2 * memory.length, length + more))
    memory.copy(larger, 0, 0, length)
    memory = larger
  }

  function bytes(source: Uint8Array, start: number, end: number, most = 8192) {
    const last = Math.min(end, start + most)
    room(2 * (last - start) + 3)
    if (isPlain(source, start, last)) {
      for (let at = start; at < last; at++) memory[length++] = source[at]!
      memory[length++] = tab
      return
    }
    memory[length++] = quote
    for (let at = start; at < last; at++) {
      const byte = source[at]!
      if (byte === quote) memory[length++] = quote
      memory[length++] = byte === 0 ? 0x20 : byte
    }
    memory[length++] = quote
    memory[length++] = tab
  }

  return {
    get rows() {
      return rows
    },
    plain(text) {
      room(text.length + 1)
      length += memory.write(text, length, 'latin1')
      memory[length++] = tab
    },
    bytes,
    cells(source, start, end) {
      room(end - start + 1)
      memory.set(source.subarray(start, end), length)
      length += end - start
      memory[length++] = tab
    },
    text(text) {
      const source = Buffer.from(text)
      bytes(source, 0, source.length)
    },
    none() {
      room(none.length + 1)
      length += none.copy(memory, length)
      memory[length++] = tab
    },
    endRow() {
      memory[length - 1] = newline
      rows++
    },
    content() {
      const written = memory.subarray(0, length)
      // Where a cell was cut inside a character, or the sender knows no UTF-8.
      return isUtf8(written) ? written : Buffer.from(written.toString('utf8'))
    },
  }
}
