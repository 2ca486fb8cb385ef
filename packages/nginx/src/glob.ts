/** Tells whether a pattern of `include` names several files: with any of these nginx leaves it to glob(3). */
export function isPattern(path: string): boolean {
  return /[*?[]/.test(path)
}

/**
 * The paths that a pattern matches, in the order in which nginx reads them. nginx sets no locale, so all is bytes: their order, and
 * what `?` and `[…]` stand for. Source: glob(7).
 */
export function glob(pattern: string, paths: Iterable<string>): string[] {
  const segments = segmentsOf(pattern).map(piecesOf)
  const found: { path: string; bytes: string }[] = []
  for (const path of paths) {
    const names = segmentsOf(path)
    if (names.length === segments.length && names.every((name, at) => matchesName(segments[at]!, name)))
      found.push({ path, bytes: bytesOf(path) })
  }
  return found.sort((a, b) => (a.bytes < b.bytes ? -1 : 1)).map(({ path }) => path)
}

function segmentsOf(path: string): string[] {
  return bytesOf(path)
    .split('/')
    .filter((segment) => segment !== '')
}

/** Text whose characters are the bytes of a path. */
function bytesOf(path: string): string {
  return Buffer.from(path).toString('latin1')
}

type Piece =
  | { kind: 'any' }
  | { kind: 'one' }
  | { kind: 'text'; text: string }
  | { kind: 'set'; negated: boolean; ranges: [string, string][] }

/** A leading dot is matched by nothing but itself. A star that took too little is tried again from there alone, so time stays bounded. */
function matchesName(pieces: readonly Piece[], name: string): boolean {
  const [first] = pieces
  if (name.startsWith('.') && !(first?.kind === 'text' && first.text === '.')) return false
  let piece = 0
  let at = 0
  let star: { piece: number; at: number } | undefined
  while (at < name.length) {
    const current = pieces[piece]
    if (current?.kind === 'any') {
      star = { piece, at }
      piece++
    } else if (current && matchesOne(current, name[at]!)) {
      piece++
      at++
    } else if (star) {
      star.at++
      piece = star.piece + 1
      at = star.at
    } else return false
  }
  return pieces.slice(piece).every(({ kind }) => kind === 'any')
}

function matchesOne(piece: Exclude<Piece, { kind: 'any' }>, character: string): boolean {
  switch (piece.kind) {
    case 'one':
      return true
    case 'text':
      return piece.text === character
    case 'set':
      return piece.ranges.some(([from, to]) => from <= character && character <= to) !== piece.negated
    default:
      return piece satisfies never
  }
}

function piecesOf(pattern: string): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  while (at < pattern.length) {
    const character = pattern[at]!
    const set = character === '[' ? setFrom(pattern, at) : undefined
    if (set) {
      pieces.push(set.piece)
      at = set.end
    } else if (character === '*') pieces.push({ kind: 'any' })
    else if (character === '?') pieces.push({ kind: 'one' })
    else if (character === '\\' && at + 1 < pattern.length) pieces.push({ kind: 'text', text: pattern[++at]! })
    else pieces.push({ kind: 'text', text: character })
    at++
  }
  return pieces
}

/** Reads `[…]`, whose first character may be `]`; undefined where nothing closes it, and then it is text. */
function setFrom(characters: string, from: number): { piece: Piece; end: number } | undefined {
  let at = from + 1
  const negated = characters[at] === '!' || characters[at] === '^'
  if (negated) at++
  const ranges: [string, string][] = []
  for (let first = true; ; first = false) {
    const close = characters[at] === ']' && !first
    if (close) return { piece: { kind: 'set', negated, ranges }, end: at }
    if (characters[at] === '\\') at++
    const start = characters[at++]
    if (start === undefined) return undefined
    const last = characters[at] === '-' && characters[at + 1] !== ']' ? characters[at + 1] : undefined
    if (last !== undefined) at += 2
    ranges.push([start, last ?? start])
  }
}
