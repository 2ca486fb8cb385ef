/** A text that is being read: where, on which line, and how wide its characters are in the file that it came from. */
export interface Scan {
  readonly text: string
  at: number
  line: number
  /** Where the line begins. */
  lineStart: number
  /** latin1: each character is one byte. */
  readonly encoding: 'utf8' | 'latin1'
}

/** Why nginx would refuse the text, and where. */
export class SyntaxProblem extends Error {
  readonly at: number
  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

export const unfinished = 'unexpected end of file, expecting ";" or "}"'

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const QUOTE = 34
const HASH = 35
const DOLLAR = 36
const APOSTROPHE = 39
const PARENTHESIS = 41
const SEMICOLON = 59
const BACKSLASH = 92
const BRACE = 123

/** nginx reads a file through a buffer of this many bytes, which must hold a whole token and what tells that it is over. */
const buffer = 4096
// A character of UTF-16 is at most three bytes of UTF-8: what is shorter than this need not be measured.
const surelyFits = Math.floor(buffer / 3) - 2

function isSpace(code: number): boolean {
  return code === SPACE || code === LF || code === TAB || code === CR
}

/** Counts the line break at this place. */
export function countLine(scan: Scan, at: number): void {
  scan.line++
  scan.lineStart = at + 1
}

/** Reads spaces and comments. */
export function readSpace(scan: Scan): string {
  const { text } = scan
  const start = scan.at
  let at = start
  for (;;) {
    const code = text.charCodeAt(at)
    if (code === LF) {
      countLine(scan, at)
      at++
    } else if (code === HASH) {
      const found = text.indexOf('\n', at)
      const end = found === -1 ? text.length : found
      if (end - at > surelyFits) requireFits(scan, at, at, end)
      at = end
    } else if (isSpace(code)) at++
    else break
  }
  scan.at = at
  return at === start ? '' : text.slice(start, at)
}

/** Reads one token as it is written, quotes included. Source: nginx, ngx_conf_read_token. */
export function readToken(scan: Scan): string {
  const { text } = scan
  const start = scan.at
  const first = text.charCodeAt(start)
  if (first === QUOTE || first === APOSTROPHE) return readQuoted(scan, first)
  let at = start
  let variable = false
  for (;;) {
    const code = text.charCodeAt(at)
    if (code === BACKSLASH) {
      at = escaped(scan, at, start)
      variable = false
      continue
    }
    if (code === BRACE && variable) {
      at++
      continue
    }
    // Past the end the code is NaN.
    if (isSpace(code) || code === SEMICOLON || code === BRACE || code !== code) break
    variable = code === DOLLAR
    at++
  }
  if (at - start > surelyFits) requireFits(scan, start, start, isSpace(text.charCodeAt(at)) ? at + 1 : at)
  if (at >= text.length) throw new SyntaxProblem(unfinished, text.length)
  scan.at = at
  return text.slice(start, at)
}

function readQuoted(scan: Scan, closing: number): string {
  const { text } = scan
  const start = scan.at
  let at = start + 1
  for (;;) {
    const code = text.charCodeAt(at)
    if (code === closing) break
    if (code === BACKSLASH) {
      at = escaped(scan, at, start + 1)
      continue
    }
    if (code === LF) countLine(scan, at)
    else if (code !== code) {
      if (at - start > surelyFits) requireFits(scan, start, start + 1, at, text[start])
      throw new SyntaxProblem(unfinished, text.length)
    }
    at++
  }
  // After a closing quote nginx wants a space, `;`, `{` or `)`, which begins a token of its own.
  const next = text.charCodeAt(at + 1)
  if (at - start > surelyFits) {
    requireFits(scan, start, start + 1, at, text[start])
    requireFits(scan, start, start + 1, isSpace(next) ? at + 2 : at + 1)
  }
  at++
  if (next === next && !isSpace(next) && next !== SEMICOLON && next !== BRACE && next !== PARENTHESIS)
    throw new SyntaxProblem(`unexpected "${text[at]}"`, at)
  scan.at = at
  return text.slice(start, at)
}

function escaped(scan: Scan, at: number, start: number): number {
  const { text } = scan
  if (text.charCodeAt(at + 1) === LF) countLine(scan, at + 1)
  if (at + 1 < text.length) return at + 2
  if (at - start > surelyFits) requireFits(scan, start, start, text.length)
  throw new SyntaxProblem(unfinished, text.length)
}

/** Refuses what fills nginx's buffer before nginx knows that it is over: the bytes of `from` to `to`, if more follow. */
function requireFits({ text, encoding }: Scan, start: number, from: number, to: number, quote?: string): void {
  const size = encoding === 'latin1' ? to - from : Buffer.byteLength(text.slice(from, to))
  if (size < buffer || (size === buffer && to >= text.length)) return
  throw new SyntaxProblem(
    quote === undefined
      ? `too long parameter "${text.slice(from, from + 10)}..." started`
      : `too long parameter, probably missing terminating "${quote}" character`,
    start,
  )
}

/** The value of a written token: quotes removed, nginx's six escapes decoded, any other backslash kept. */
export function decode(raw: string): string {
  const first = raw.charCodeAt(0)
  const inner = first === QUOTE || first === APOSTROPHE ? raw.slice(1, -1) : raw
  let slash = inner.indexOf('\\')
  if (slash === -1) return inner
  let value = ''
  let from = 0
  while (slash !== -1) {
    const character = escapes[inner[slash + 1]!]
    if (character !== undefined) {
      value += inner.slice(from, slash) + character
      from = slash + 2
    }
    // A backslash that stands for itself may be followed by one that does not.
    slash = inner.indexOf('\\', character === undefined ? slash + 1 : from)
  }
  return value + inner.slice(from)
}

const escapes: Readonly<Record<string, string>> = { '"': '"', "'": "'", '\\': '\\', t: '\t', r: '\r', n: '\n' }
