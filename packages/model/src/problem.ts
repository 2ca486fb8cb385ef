import { z } from 'zod'

/** The closed list of reasons that `details[].code` of an error can carry. */
export const problemCodes = [
  'REQUIRED',
  'INVALID_TYPE',
  'INVALID_FORMAT',
  'INVALID_VALUE',
  'OUT_OF_RANGE',
  'TOO_SHORT',
  'TOO_LONG',
  'UNKNOWN_FIELD',
  'UNKNOWN_REFERENCE',
  'DUPLICATE',
  'CONFLICT',
  'IN_USE',
  'NOT_ALLOWED',
] as const

export type ProblemCode = (typeof problemCodes)[number]

/** One reason why an input is refused: `field` is a dotted path into the request body (`locations.0.upstream_id`). */
export const problem = z.strictObject({ field: z.string(), message: z.string(), code: z.enum(problemCodes) }).meta({ id: 'Problem' })

export type Problem = z.infer<typeof problem>
