import type { Problem, ProblemCode } from '@nxmesh/model/problem'
import type { z } from 'zod'

/** Turns what a schema found wrong into problems, one for each field; `prefix` is put before every path. */
export function problemsOf(error: z.ZodError, prefix = ''): Problem[] {
  return error.issues.flatMap((issue) => fromIssue(issue, prefix))
}

function fromIssue(issue: z.core.$ZodIssue, prefix: string): Problem[] {
  const field = [prefix, ...issue.path.map(String)].filter((part) => part !== '').join('.')
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
