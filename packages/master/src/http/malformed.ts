import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { securityHeaders } from './security-headers.ts'

/** Answers bytes that are not HTTP, or headers larger than Node takes (16 kB), in the envelope of all errors, and closes the connection. */
export function answerMalformed(error: NodeJS.ErrnoException, socket: Socket, requestId: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error)
    return
  }
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const message = tooLarge ? 'the headers are larger than 16 kB' : 'this is not an HTTP request'
  const details = [{ field: 'headers', message, code: tooLarge ? 'TOO_LONG' : 'INVALID_FORMAT' }]
  const body = JSON.stringify({ error: { code: 'VALIDATION_ERROR', message, request_id: requestId, details } })
  const head = [
    `HTTP/1.1 ${tooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'}`,
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
