import type { Problem, ProblemCode } from '@nxmesh/model/problem'
import type { z } from 'zod'

/** Reads a value by a schema: the value with its defaults, or one problem for each field that is wrong. */
export function check<S extends z.ZodType>(
  schema: S,
  value: unknown,
): { ok: true; value: z.output<S> } | { ok: false; problems: Problem[] } {
  // The input tells a missing field from one of a wrong type.
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return { ok: true, value: result.data }
  return { ok: false, problems: result.error.issues.flatMap(fromIssue) }
}

function fromIssue(issue: z.core.$ZodIssue): Problem[] {
  const field = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
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
