import { controls } from './bytes.ts'

/** Said of an expression that is beyond what is known here of PCRE. */
export class Unsupported extends Error {}

export interface Cursor {
  pattern: string
  at: number
  caseless: boolean
}

/** The byte that an escape stands for, after its backslash. */
export function escapedByte(cursor: Cursor): number {
  const character = cursor.pattern[cursor.at]!
  cursor.at++
  if (Object.hasOwn(controls, character)) return controls[character]!
  if (character === 'x') {
    const digits = /^(?:\{([0-9a-fA-F]{1,2})\}|([0-9a-fA-F]{2}))/.exec(cursor.pattern.slice(cursor.at))
    if (!digits) throw new Unsupported('it has a "\\x" without two digits')
    cursor.at += digits[0].length
    return Number.parseInt(digits[1] ?? digits[2]!, 16)
  }
  if (/[A-Za-z0-9]/.test(character)) throw new Unsupported(`it has "\\${character}"`)
  return character.charCodeAt(0)
}
