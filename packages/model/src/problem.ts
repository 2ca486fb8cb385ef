/** One reason why an input is refused: `field` is a dotted path into the request body (`locations.0.upstream_id`). */
export interface Problem {
  field: string
  message: string
  code: ProblemCode
}

/** The closed list of reasons that `details[].code` of an error can carry. */
export const problemCodes = [
  'REQUIRED',
  'INVALID_TYPE',
  'INVALID_FORMAT',
  'INVALID_VALUE',
  'OUT_OF_RANGE',
  'TOO_LONG',
  'UNKNOWN_FIELD',
  'UNKNOWN_REFERENCE',
  'DUPLICATE',
  'CONFLICT',
  'IN_USE',
  'NOT_ALLOWED',
] as const

export type ProblemCode = (typeof problemCodes)[number]
