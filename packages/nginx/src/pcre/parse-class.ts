import { bothCases, escapes, inverted, posix } from './bytes.ts'
import { type Cursor, escapedByte, Unsupported } from './cursor.ts'

/** Reads a class after its "[": a "]" right at its beginning is a member. */
export function parseClass(cursor: Cursor): Uint8Array {
  const { pattern } = cursor
  const has = new Uint8Array(256)
  const negative = pattern[cursor.at] === '^'
  if (negative) cursor.at++
  for (let first = true; first || pattern[cursor.at] !== ']'; first = false) {
    if (cursor.at >= pattern.length) throw new Unsupported('it has a "[" that is not closed')
    const from = parseMember(cursor)
    if (typeof from !== 'number') {
      if (pattern[cursor.at] === '-' && pattern[cursor.at + 1] !== ']') throw new Unsupported('it has a range that begins with a class')
      for (const [byte, flag] of from.entries()) if (flag === 1) has[byte] = 1
      continue
    }
    let to: number | Uint8Array = from
    if (pattern[cursor.at] === '-' && pattern[cursor.at + 1] !== ']' && cursor.at + 1 < pattern.length) {
      cursor.at++
      to = parseMember(cursor)
      if (typeof to !== 'number' || to < from) throw new Unsupported('it has a range that does not end')
    }
    has.fill(1, from, to + 1)
  }
  cursor.at++
  const whole = cursor.caseless ? bothCases(has) : has
  return negative ? inverted(whole) : whole
}

function parseMember(cursor: Cursor): number | Uint8Array {
  const { pattern } = cursor
  const character = pattern[cursor.at]!
  if (character === '[' && ':.='.includes(pattern[cursor.at + 1] ?? ' ')) {
    const named = /^\[:(\^?)([a-z]+):\]/.exec(pattern.slice(cursor.at, cursor.at + 20))
    if (!named || !Object.hasOwn(posix, named[2]!)) throw new Unsupported('it has a class that is not known')
    cursor.at += named[0].length
    const found = posix[named[2]!]!
    return named[1] === '^' ? inverted(found) : found
  }
  cursor.at++
  if (character !== '\\') return character.charCodeAt(0)
  const next = pattern[cursor.at]
  if (next === undefined) throw new Unsupported('it ends with a backslash')
  if (Object.hasOwn(escapes, next)) {
    cursor.at++
    return escapes[next]!
  }
  if (next === 'b') {
    cursor.at++
    return 8
  }
  return escapedByte(cursor)
}
