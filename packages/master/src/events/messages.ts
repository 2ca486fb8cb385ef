import { randomUUID } from 'node:crypto'
import { ApiError, type ErrorBody, invalid } from '@nxmesh/api/errors'
import { type ClientMessage, clientMessage } from '@nxmesh/api/events'
import { check } from '@nxmesh/api/problems'
import { readJson } from '../http/json.ts'

/** What a client sent, with the id by which it is answered; an error where it cannot be read. */
export function readMessage(text: string): { requestId: string; message: ClientMessage | ApiError } {
  let value: unknown
  try {
    value = readJson(text)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return { requestId: newRequestId(), message: error }
  }
  const read = check(clientMessage, value)
  if (read.ok) return { requestId: read.value.request_id ?? newRequestId(), message: read.value }
  return { requestId: requestIdIn(value) ?? newRequestId(), message: invalid(read.problems.map(named)) }
}

/** An error as it is sent to a client. */
export function errorText(body: ErrorBody): string {
  return JSON.stringify({ type: 'error', ...body })
}

function named<P extends { field: string }>(problem: P): P {
  return { ...problem, field: problem.field || 'message' }
}

function requestIdIn(value: unknown): string | undefined {
  const id = typeof value === 'object' && value !== null && 'request_id' in value ? value.request_id : undefined
  return typeof id === 'string' && /^[A-Za-z0-9._:-]{1,128}$/.test(id) ? id : undefined
}

function newRequestId(): string {
  return `req-${randomUUID()}`
}
