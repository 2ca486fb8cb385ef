import { bothCases, escapes, setOf } from './bytes.ts'
import { type Cursor, escapedByte, Unsupported } from './cursor.ts'
import { parseClass } from './parse-class.ts'
import { type Item, widthOf } from './syntax.ts'

/** A regular expression that can be matched as PCRE would. `names` gives the number of each named group. */
export interface ParsedRegex {
  item: Item
  groups: number
  names: ReadonlyMap<string, number>
}

interface Reading extends Cursor {
  dotAll: boolean
  multiline: boolean
  groups: number
  names: Map<string, number>
  furthestBack: number
}

/**
 * Reads a regular expression over bytes (text as latin1). Throws Unsupported for what is rare or differs between releases of
 * PCRE: conditions, recursion, verbs, Unicode properties, `\K`, `(?x)`. Source: pcre2pattern.
 */
export function parseRegex(pattern: string, caseless: boolean): ParsedRegex {
  const reading: Reading = { pattern, at: 0, caseless, dotAll: false, multiline: false, groups: 0, names: new Map(), furthestBack: 0 }
  if (pattern.startsWith('(*')) throw new Unsupported('it begins with a verb of PCRE')
  const item = parseEither(reading)
  if (reading.at < pattern.length) throw new Unsupported('it has a ")" that closes nothing')
  if (reading.furthestBack > reading.groups) throw new Unsupported('it refers to a group that it does not have')
  if (looksFirst(item)) throw new Unsupported('releases of PCRE differ in how they search for what it looks ahead for')
  return { item, groups: reading.groups, names: reading.names }
}

// Before 10.43 PCRE2 may want the last letter of the expression once more after the one looked ahead for.
function looksFirst(item: Item): boolean {
  switch (item.kind) {
    case 'sequence': {
      const first = item.items.find(
        (part) => part.kind !== 'boundary' && part.kind !== 'not_boundary' && !(part.kind === 'look' && (part.negative || part.behind)),
      )
      return first !== undefined && looksFirst(first)
    }
    case 'either':
      return item.branches.some(looksFirst)
    case 'group':
    case 'repeat':
      return looksFirst(item.of)
    case 'look':
      return !item.negative && !item.behind
    default:
      return false
  }
}

function parseEither(reading: Reading): Item {
  const branches = [parseSequence(reading)]
  while (reading.pattern[reading.at] === '|') {
    reading.at++
    branches.push(parseSequence(reading))
  }
  return branches.length === 1 ? branches[0]! : { kind: 'either', branches }
}

function parseSequence(reading: Reading): Item {
  const items: Item[] = []
  for (;;) {
    const character = reading.pattern[reading.at]
    if (character === undefined || character === '|' || character === ')') return { kind: 'sequence', items }
    const item = parseAtom(reading)
    if (item) items.push(repeated(reading, item))
  }
}

function parseAtom(reading: Reading): Item | undefined {
  const character = reading.pattern[reading.at]!
  reading.at++
  switch (character) {
    case '(':
      return parseGroup(reading)
    case '[':
      return { kind: 'set', has: parseClass(reading) }
    case '\\':
      return parseEscape(reading)
    case '.':
      return { kind: 'set', has: setOf((byte) => reading.dotAll || byte !== 10) }
    case '^':
      return { kind: reading.multiline ? 'line_start' : 'start' }
    case '$':
      return { kind: reading.multiline ? 'line_end' : 'end' }
    case '*':
    case '+':
    case '?':
      throw new Unsupported(`it has a "${character}" that repeats nothing`)
    default:
      return single(reading, character.charCodeAt(0))
  }
}

function single({ caseless }: Cursor, byte: number): Item {
  const has = setOf((other) => other === byte)
  return { kind: 'set', has: caseless ? bothCases(has) : has }
}

const repetition = /([*+?]|\{(\d{1,5})(?:(,)(\d{0,5}))?\})([?+])?/y

function repeated(reading: Reading, of: Item): Item {
  repetition.lastIndex = reading.at
  const found = repetition.exec(reading.pattern)
  if (!found) {
    if (/^\{[\s,]/.test(reading.pattern.slice(reading.at))) throw new Unsupported('releases of PCRE read its "{" differently')
    return of
  }
  if (of.kind !== 'set' && of.kind !== 'group' && of.kind !== 'back') throw new Unsupported('it repeats something without width')
  reading.at += found[0].length
  const [, sign, least, comma, most, suffix] = found
  const infinite = Number.POSITIVE_INFINITY
  const [min, max] =
    sign === '*'
      ? [0, infinite]
      : sign === '+'
        ? [1, infinite]
        : sign === '?'
          ? [0, 1]
          : [Number(least), comma === undefined ? Number(least) : most === '' ? infinite : Number(most)]
  if (max < min) throw new Unsupported('it has a repetition that ends before it begins')
  if (/^[*+?]/.test(reading.pattern.slice(reading.at))) throw new Unsupported('it repeats a repetition')
  return { kind: 'repeat', of, min, max, mode: suffix === '?' ? 'lazy' : suffix === '+' ? 'possessive' : 'greedy' }
}

function parseEscape(reading: Reading): Item | undefined {
  const { pattern } = reading
  const character = pattern[reading.at]
  if (character === undefined) throw new Unsupported('it ends with a backslash')
  reading.at++
  if (Object.hasOwn(escapes, character)) return { kind: 'set', has: escapes[character]! }
  switch (character) {
    case 'b':
      return { kind: 'boundary' }
    case 'B':
      return { kind: 'not_boundary' }
    case 'A':
      return { kind: 'start' }
    case 'Z':
      return { kind: 'end' }
    case 'z':
      return { kind: 'end_only' }
    case 'N':
      return { kind: 'set', has: setOf((byte) => byte !== 10) }
    case 'Q': {
      const end = pattern.indexOf('\\E', reading.at)
      const text = pattern.slice(reading.at, end === -1 ? undefined : end)
      reading.at = end === -1 ? pattern.length : end + 2
      const items = Array.from(text, (literal) => single(reading, literal.charCodeAt(0)))
      const last = items.pop()
      if (!last) return undefined
      return items.length === 0 ? last : { kind: 'sequence', items: [...items, repeated(reading, last)] }
    }
    case 'E':
      return undefined
    default:
  }
  if (/[1-9]/.test(character)) {
    if (/\d/.test(pattern[reading.at] ?? '')) throw new Unsupported('it has a "\\" before a number of several digits')
    reading.furthestBack = Math.max(reading.furthestBack, Number(character))
    return { kind: 'back', index: Number(character), caseless: reading.caseless }
  }
  reading.at--
  return single(reading, escapedByte(reading))
}

function parseGroup(reading: Reading): Item | undefined {
  const rest = reading.pattern.slice(reading.at, reading.at + 60)
  const { caseless, dotAll, multiline } = reading
  const restore = () => Object.assign(reading, { caseless, dotAll, multiline })
  const inner = (length: number) => {
    reading.at += length
    const of = parseEither(reading)
    if (reading.pattern[reading.at] !== ')') throw new Unsupported('it has a "(" that is not closed')
    reading.at++
    restore()
    return of
  }
  if (rest[0] !== '?') {
    if (rest[0] === '*') throw new Unsupported('it has a verb of PCRE')
    const index = ++reading.groups
    return { kind: 'group', index, of: inner(0), atomic: false }
  }
  const named = /^\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')/.exec(rest)
  if (named) {
    const name = named[1] ?? named[2]!
    const index = ++reading.groups
    if (reading.names.has(name)) throw new Unsupported('two of its groups have one name')
    reading.names.set(name, index)
    return { kind: 'group', index, of: inner(named[0].length), atomic: false }
  }
  if (rest.startsWith('?:')) return { kind: 'group', index: undefined, of: inner(2), atomic: false }
  if (rest.startsWith('?>')) return { kind: 'group', index: undefined, of: inner(2), atomic: true }
  const look = /^\?(<?)([=!])/.exec(rest)
  if (look) {
    const of = inner(look[0].length)
    const behind = look[1] === '' ? undefined : behindWidths(of)
    return { kind: 'look', behind, negative: look[2] === '!', of }
  }
  const flags = /^\?([ims]*)(?:-([ims]+))?([:)])/.exec(rest)
  if (!flags) throw new Unsupported(`it has "(${rest.slice(0, 3)}"`)
  const [, on, off = '', end] = flags
  const set = (flag: string, before: boolean) => (on!.includes(flag) || before) && !off.includes(flag)
  Object.assign(reading, { caseless: set('i', caseless), dotAll: set('s', dotAll), multiline: set('m', multiline) })
  if (end === ':') return { kind: 'group', index: undefined, of: inner(flags[0].length), atomic: false }
  reading.at += flags[0].length
  return undefined
}

function behindWidths(of: Item): number[] {
  const branches = of.kind === 'either' ? of.branches : [of]
  return branches.map((branch) => {
    const { min, max } = widthOf(branch)
    if (min !== max) throw new Unsupported('it looks behind over a text of any length')
    return min
  })
}
