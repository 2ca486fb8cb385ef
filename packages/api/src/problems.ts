import type { Problem, ProblemCode } from '@nxmesh/model/problem'
import type { z } from 'zod'

/** How many problems are told at once: nobody reads more, and whoever sends nonsense must not cost much. */
export const mostProblems = 100

/** Reads a value by a schema: the value with its defaults, or one problem for each field that is wrong, the first hundred of them. */
export function check<S extends z.ZodType>(
  schema: S,
  value: unknown,
): { ok: true; value: z.output<S> } | { ok: false; problems: Problem[] } {
  // The input tells a missing field from one of a wrong type.
  const result = schema.safeParse(value, { reportInput: true, error: wordsOf })
  if (result.success) return { ok: true, value: result.data }
  return { ok: false, problems: onePerField(result.error.issues.slice(0, 10 * mostProblems).flatMap(fromIssue)).slice(0, mostProblems) }
}

function fromIssue(issue: z.core.$ZodIssue): Problem[] {
  const field = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, mostProblems).map((key) => ({
      field: field === '' ? key : `${field}.${key}`,
      message: 'is not a known field',
      code: 'UNKNOWN_FIELD',
    }))
  }
  // The key of a map is refused with the reason its own schema gives.
  if (issue.code === 'invalid_key') {
    return [{ field, message: issue.issues[0]?.message ?? issue.message, code: 'INVALID_FORMAT' }]
  }
  const missing = isMissing(issue)
  return [{ field, message: missing ? 'is required' : issue.message, code: missing ? 'REQUIRED' : codeOf(issue) }]
}

function isMissing(issue: z.core.$ZodIssue): boolean {
  const { code, input, path } = issue
  if (code === 'invalid_type' || code === 'invalid_value') return input === undefined
  // What tells the members of a union apart: its path goes on to it, its input is the whole.
  return code === 'invalid_union' && 'note' in issue && issue.note !== undefined && !Object.hasOwn((input ?? {}) as object, path.at(-1)!)
}

// What is wrong first is mended first; a second reason for the same field often follows from it.
function onePerField(problems: Problem[]): Problem[] {
  const fields = new Set<string>()
  return problems.filter(({ field }) => !fields.has(field) && fields.add(field))
}

// For what a schema has no words of its own for.
function wordsOf(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${article(issue.expected)}`
    // Zod would name them all, and there may be very many.
    case 'unrecognized_keys':
      return 'is not a known field'
    case 'invalid_value':
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`
    case 'invalid_union':
      return issue.note === 'No matching discriminator' ? 'is none of the possible values' : undefined
    case 'too_small':
      if (issue.origin === 'string' && issue.minimum === 1) return 'must not be empty'
      return `must ${sizeOf(issue.origin)} at least ${issue.minimum}${unitOf(issue.origin)}`
    case 'too_big':
      return `must ${sizeOf(issue.origin)} at most ${issue.maximum}${unitOf(issue.origin)}`
    default:
      return undefined
  }
}

const types: Record<string, string> = {
  int: 'a whole number',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  undefined: 'left out',
}

function article(type: string): string {
  return types[type] ?? `a ${type}`
}

function sizeOf(origin: string): string {
  return origin === 'string' || origin === 'array' ? 'have' : 'be'
}

function unitOf(origin: string): string {
  return origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : ''
}

function codeOf(issue: z.core.$ZodIssue): ProblemCode {
  switch (issue.code) {
    case 'invalid_type':
      return 'INVALID_TYPE'
    case 'too_small':
      return issue.origin !== 'string' ? 'OUT_OF_RANGE' : issue.input === '' ? 'REQUIRED' : 'TOO_SHORT'
    case 'too_big':
      return issue.origin === 'string' ? 'TOO_LONG' : 'OUT_OF_RANGE'
    case 'invalid_format':
      return 'INVALID_FORMAT'
    case 'custom':
      return issue.params?.['code'] ?? 'INVALID_FORMAT'
    default:
      return 'INVALID_VALUE'
  }
}
