/** The set of the bytes for which `test` holds. */
export function setOf(test: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (test(byte) ? 1 : 0))
}

/** All bytes that are not in a set. */
export function inverted(has: Uint8Array): Uint8Array {
  return has.map((flag) => 1 - flag)
}

/** A set with the other case of each of its letters; only those of ASCII have one, as PCRE sees bytes. */
export function bothCases(has: Uint8Array): Uint8Array {
  return setOf((byte) => has[byte] === 1 || (isLetter(byte) && has[byte ^ 0x20] === 1))
}

const isLetter = (byte: number) => (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122)
const isDigit = (byte: number) => byte >= 48 && byte <= 57
const among = (text: string) => setOf((byte) => text.includes(String.fromCharCode(byte)))

const digits = setOf(isDigit)
const words = setOf((byte) => isLetter(byte) || isDigit(byte) || byte === 95)
const spaces = among('\t\n\v\f\r ')

/** What the escapes stand for that name a class of bytes. Source: pcre2pattern, "Generic character types". */
export const escapes: Readonly<Record<string, Uint8Array>> = {
  d: digits,
  D: inverted(digits),
  w: words,
  W: inverted(words),
  s: spaces,
  S: inverted(spaces),
  h: among('\t \u00a0'),
  H: inverted(among('\t \u00a0')),
  v: among('\n\v\f\r\u0085'),
  V: inverted(among('\n\v\f\r\u0085')),
}

/** POSIX classes, as in `[[:alpha:]]`. */
export const posix: Readonly<Record<string, Uint8Array>> = {
  alpha: setOf(isLetter),
  digit: digits,
  alnum: setOf((byte) => isLetter(byte) || isDigit(byte)),
  upper: setOf((byte) => byte >= 65 && byte <= 90),
  lower: setOf((byte) => byte >= 97 && byte <= 122),
  space: spaces,
  blank: among('\t '),
  word: words,
  punct: setOf((byte) => byte > 32 && byte < 127 && !isLetter(byte) && !isDigit(byte)),
  xdigit: setOf((byte) => isDigit(byte) || (byte >= 65 && byte <= 70) || (byte >= 97 && byte <= 102)),
  cntrl: setOf((byte) => byte < 32 || byte === 127),
  graph: setOf((byte) => byte > 32 && byte < 127),
  print: setOf((byte) => byte >= 32 && byte < 127),
  ascii: setOf((byte) => byte < 128),
}

/** Escapes that stand for one byte. */
export const controls: Readonly<Record<string, number>> = { t: 9, n: 10, f: 12, r: 13, e: 27, a: 7 }
