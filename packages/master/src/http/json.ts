import { invalid } from '@nxmesh/api/errors'

const deepest = 64
// No resource has nearly as many; each costs far more than the bytes it is sent in.
const mostMembers = 200_000

/** Reads a JSON body; an empty one is undefined. Throws VALIDATION_ERROR, also for nesting and numbers that no resource has. */
export function readJson(text: string): unknown {
  if (text === '') return undefined
  const { depth, members } = shapeOf(text)
  if (depth > deepest) throw invalid([{ field: 'body', message: `is nested deeper than ${deepest} levels`, code: 'INVALID_VALUE' }])
  if (members > mostMembers) throw invalid([{ field: 'body', message: `has more than ${mostMembers} members`, code: 'OUT_OF_RANGE' }])
  const value = parse(text)
  // Half a surrogate pair has no form in UTF-8, so what is stored would not be what agents get.
  if (/\\ud[89a-f]/i.test(text) && !isWellFormed(value)) {
    throw invalid([{ field: 'body', message: 'holds half a surrogate pair', code: 'INVALID_FORMAT' }])
  }
  return value
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const message = `is not JSON: ${error instanceof Error ? error.message : String(error)}`
    throw invalid([{ field: 'body', message: message.slice(0, 200), code: 'INVALID_FORMAT' }])
  }
}

function shapeOf(text: string): { depth: number; members: number } {
  let depth = 0
  let most = 0
  let members = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (quoted) {
      if (character === '\\') at++
      else if (character === '"') quoted = false
    } else if (character === '"') quoted = true
    else if (character === '{' || character === '[') most = Math.max(most, ++depth)
    else if (character === '}' || character === ']') depth--
    else if (character === ',') members++
  }
  return { depth: most, members }
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, member]) => key.isWellFormed() && isWellFormed(member))
}
