import type { Position, Window } from './query.ts'

/** Where a list goes on: the window it is of, and the last row that was shown. */
export function writeCursor({ from, to }: Window, { ts, seq }: Position): string {
  return Buffer.from([from, to, ts, seq].map((number) => number.toString(36)).join('.')).toString('base64url')
}

/** Reads a cursor; undefined for text that is none. */
export function readCursor(text: string): (Window & Position) | undefined {
  const parts = Buffer.from(text, 'base64url').toString('latin1').split('.')
  if (parts.length !== 4 || !parts.every((part) => /^-?[0-9a-z]{1,11}$/.test(part))) return undefined
  const [from, to, ts, seq] = parts.map((part) => Number.parseInt(part, 36)) as [number, number, number, number]
  return [from, to, ts, seq].every(Number.isSafeInteger) ? { from, to, ts, seq } : undefined
}
