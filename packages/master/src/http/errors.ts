import { ApiError, type ErrorBody, errorStatus } from '@nxmesh/api/errors'
import type { Ctx } from '../ctx.ts'

/** Turns whatever was thrown into the status and body of an answer; what nobody expected is logged and not shown. */
export function toAnswer(ctx: Pick<Ctx, 'log'>, error: unknown, requestId: string): { status: number; body: ErrorBody } {
  const known = expected(error)
  if (!known) ctx.log.error({ err: error, request_id: requestId }, 'request failed')
  const { code, message, details } =
    known ?? new ApiError('INTERNAL_ERROR', 'something went wrong here; the request id finds it in the log')
  return { status: errorStatus[code], body: { error: { code, message, request_id: requestId, details } } }
}

function expected(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error
  const { code, errcode, statusCode } = error as { code?: string; errcode?: number; statusCode?: number }
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return refusedBody('is larger than 16 MB', 'TOO_LONG')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return refusedBody('must be sent as application/json', 'INVALID_FORMAT')
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return refusedBody('does not have the announced length', 'INVALID_FORMAT')
  }
  // SQLITE_BUSY (5), SQLITE_FULL (13) and SQLITE_IOERR (10): the disk or a reader is in the way, and the same request may go through later.
  if (errcode !== undefined && [5, 10, 13].includes(errcode & 0xff)) {
    return new ApiError('SERVICE_UNAVAILABLE', 'the database cannot take this now', [], { cause: error })
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return refusedBody('cannot be read', 'INVALID_FORMAT')
  return undefined
}

function refusedBody(message: string, code: 'TOO_LONG' | 'INVALID_FORMAT'): ApiError {
  return new ApiError('VALIDATION_ERROR', `the request body ${message}`, [{ field: 'body', message, code }])
}
