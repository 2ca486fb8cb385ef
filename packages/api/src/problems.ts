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
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return { ok: true, value: result.data }
  return { ok: false, problems: result.error.issues.slice(0, mostProblems).flatMap(fromIssue).slice(0, mostProblems) }
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
  const missing = issue.code === 'invalid_type' && issue.input === undefined
  return [{ field, message: missing ? 'is required' : issue.message, code: missing ? 'REQUIRED' : codeOf(issue) }]
}

function codeOf(issue: z.core.$ZodIssue): ProblemCode {
  switch (issue.code) {
    case 'invalid_type':
      return 'INVALID_TYPE'
    case 'too_small':
    case 'too_big':
      return issue.origin === 'string' ? (issue.code === 'too_big' ? 'TOO_LONG' : 'REQUIRED') : 'OUT_OF_RANGE'
    case 'invalid_format':
      return 'INVALID_FORMAT'
    case 'custom':
      return issue.params?.['code'] ?? 'INVALID_FORMAT'
    default:
      return 'INVALID_VALUE'
  }
}
