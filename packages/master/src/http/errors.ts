import { ApiError, type ErrorBody, errorStatus } from '@nxmesh/api/errors'
import { mostProblems } from '@nxmesh/api/problems'
import type { Ctx } from '../ctx.ts'
import { isOrphan, isUnavailable, isUnstorable } from '../db/trouble.ts'

/** Turns whatever was thrown into the status and body of an answer; what nobody expected is logged and not shown. */
export function toAnswer(ctx: Pick<Ctx, 'log'>, error: unknown, requestId: string): { status: number; body: ErrorBody } {
  const known = expected(error)
  if (known?.code === 'SERVICE_UNAVAILABLE') ctx.log.warn({ err: known.cause, request_id: requestId }, known.message)
  if (!known) ctx.log.error({ err: error, request_id: requestId }, 'request failed')
  const { code, message, details } =
    known ?? new ApiError('INTERNAL_ERROR', 'something went wrong here; the request id finds it in the log')
  return { status: errorStatus[code], body: { error: { code, message, request_id: requestId, details: details.slice(0, mostProblems) } } }
}

function expected(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error
  const { code, statusCode } = error as { code?: string; statusCode?: number }
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return refusedBody('is too large', 'TOO_LONG')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return refusedBody('must be sent as application/json', 'INVALID_FORMAT')
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return refusedBody('does not have the announced length', 'INVALID_FORMAT')
  }
  if (isUnavailable(error)) return new ApiError('SERVICE_UNAVAILABLE', 'the database cannot take this now', [], { cause: error })
  if (isOrphan(error)) return new ApiError('NOT_FOUND', 'what this belongs to was deleted meanwhile', [], { cause: error })
  if (isUnstorable(error)) return refusedBody('holds a character that cannot be stored', 'INVALID_FORMAT')
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return refusedBody('cannot be read', 'INVALID_FORMAT')
  return undefined
}

function refusedBody(message: string, code: 'TOO_LONG' | 'INVALID_FORMAT'): ApiError {
  return new ApiError('VALIDATION_ERROR', `the request body ${message}`, [{ field: 'body', message, code }])
}
