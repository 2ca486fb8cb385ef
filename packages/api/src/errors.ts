import { type Problem, problem } from '@nxmesh/model/problem'
import { z } from 'zod'

/** The closed list of error codes and the HTTP status of each. */
export const errorStatus = {
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  VALIDATION_ERROR: 422,
  RATE_LIMITED: 429,
  INTERNAL_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
} as const

export type ErrorCode = keyof typeof errorStatus

const errorCodes = Object.keys(errorStatus) as [ErrorCode, ...ErrorCode[]]

/** The body of every error answer. */
export const errorBody = z
  .strictObject({
    error: z.strictObject({ code: z.enum(errorCodes), message: z.string(), request_id: z.string(), details: z.array(problem) }),
  })
  .meta({ id: 'Error' })

export type ErrorBody = z.infer<typeof errorBody>

/** An expected failure with a code from the closed list; thrown anywhere, turned into an answer at the edge. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly code: ErrorCode
  readonly details: Problem[]
  /** Seconds after which the same request may succeed. */
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, details: Problem[] = [], options?: ErrorOptions & { retryAfter?: number }) {
    super(message, options)
    this.code = code
    this.details = details
    this.retryAfter = options?.retryAfter
  }
}

/** The error for input that is refused for these reasons. */
export function invalid(details: Problem[]): ApiError {
  return new ApiError('VALIDATION_ERROR', 'Request validation failed', details)
}
