import { invalid } from '@nxmesh/api/errors'

const deepest = 64

/** Reads a JSON body; an empty one is undefined. Throws VALIDATION_ERROR, also for nesting that no resource has. */
export function readJson(text: string): unknown {
  if (text === '') return undefined
  if (depthOf(text) > deepest) throw invalid([{ field: 'body', message: `is nested deeper than ${deepest} levels`, code: 'INVALID_VALUE' }])
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

function depthOf(text: string): number {
  let depth = 0
  let most = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (quoted) {
      if (character === '\\') at++
      else if (character === '"') quoted = false
    } else if (character === '"') quoted = true
    else if (character === '{' || character === '[') most = Math.max(most, ++depth)
    else if (character === '}' || character === ']') depth--
  }
  return most
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, member]) => key.isWellFormed() && isWellFormed(member))
}
