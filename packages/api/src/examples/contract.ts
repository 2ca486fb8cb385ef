import { agents } from './contract-agents.ts'
import { config } from './contract-config.ts'
import { identity } from './contract-identity.ts'
import { telemetry } from './contract-telemetry.ts'

/** Every exchange that the published contract shows for these resources. */
export const contract = { ...identity, ...agents, ...config, ...telemetry }

/** The error that the published contract shows. */
export const contractError = {
  error: {
    code: 'VALIDATION_ERROR',
    message: 'Request validation failed',
    request_id: 'req-abc-123',
    details: [{ field: 'server_name', message: 'Invalid domain format', code: 'INVALID_FORMAT' }],
  },
}

/** The error codes of the published contract and their statuses. */
export const contractErrorCodes = {
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  VALIDATION_ERROR: 422,
  CONFLICT: 409,
  RATE_LIMITED: 429,
  INTERNAL_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
}
