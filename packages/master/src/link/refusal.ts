import { status } from '@grpc/grpc-js'

/** Why a session or a call is refused: the code and details of the contract's Error, and the status that the stream ends with. */
export interface Refusal {
  status: status
  code: string
  message: string
  details?: Record<string, string>
}

export function unauthenticated(code: string, message: string): Refusal {
  return { status: status.UNAUTHENTICATED, code, message }
}

export function invalidArgument(field: string, reason: string): Refusal {
  return { status: status.INVALID_ARGUMENT, code: 'INVALID_ARGUMENT', message: `${field} ${reason}`, details: { [field]: reason } }
}
