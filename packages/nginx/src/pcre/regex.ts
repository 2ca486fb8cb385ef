import { Unsupported } from './cursor.ts'
import { type Effort, type Match, matchRegex } from './match.ts'
import { type ParsedRegex, parseRegex } from './parse-regex.ts'

/** What a search found, or why it cannot be told. */
export type Found = Exclude<Match, { kind: 'too_much' }> | { kind: 'unsure'; why: string }

export interface Regex {
  names: ReadonlyMap<string, number>
  groups: number
  /** Searches a text, latin1 byte by byte. */
  match: (text: string, effort: Effort) => Found
}

/** Reads a regular expression, latin1 byte by byte; what cannot be read tells so at every match. Source: pcre2pattern. */
export function regexOf(pattern: string, caseless: boolean): Regex {
  try {
    const parsed = parseRegex(pattern, caseless)
    return { names: parsed.names, groups: parsed.groups, match: (text, effort) => search(parsed, text, effort) }
  } catch (problem) {
    if (!(problem instanceof Unsupported)) throw problem
    const why = `the regular expression is not understood here: ${problem.message}`
    return { names: new Map(), groups: 0, match: () => ({ kind: 'unsure', why }) }
  }
}

function search(parsed: ParsedRegex, text: string, effort: Effort): Found {
  const found = matchRegex(parsed, text, effort)
  return found.kind === 'too_much'
    ? { kind: 'unsure', why: 'the regular expression takes too many steps to be followed here, or those before it did' }
    : found
}
