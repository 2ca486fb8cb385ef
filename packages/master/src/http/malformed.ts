import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { securityHeaders } from './security-headers.ts'

const notHttp = { status: '400 Bad Request', message: 'this is not an HTTP request', field: 'headers', code: 'INVALID_FORMAT' }
const faults: Record<string, typeof notHttp> = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    message: 'the headers are larger than 16 kB',
    field: 'headers',
    code: 'TOO_LONG',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    message: 'the request did not arrive as a whole in time',
    field: 'body',
    code: 'INVALID_FORMAT',
  },
}

/** Answers bytes that are not HTTP, headers larger than Node takes (16 kB) and requests that do not arrive, in the envelope of all errors, and closes the connection. */
export function answerMalformed(error: NodeJS.ErrnoException, socket: Socket, requestId: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error)
    return
  }
  const { status, message, field, code } = faults[error.code ?? ''] ?? notHttp
  const details = [{ field, message, code }]
  const body = JSON.stringify({ error: { code: 'VALIDATION_ERROR', message, request_id: requestId, details } })
  const head = [
    `HTTP/1.1 ${status}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    ...Object.entries(securityHeaders(undefined)).map(([name, value]) => `${name}: ${value}`),
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** Answers requests with an expectation that nobody here knows as if they had none, which RFC 9110 section 10.1.1 leaves to the server. */
export function ignoreExpectations(app: FastifyInstance): void {
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
}
