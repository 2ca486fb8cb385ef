import { connect, type IncomingHttpHeaders } from 'node:http2'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

/** Status codes of gRPC that the agent tells apart. Source: gRPC "Status codes and their use". */
export const grpcStatus = {
  ok: 0,
  unknown: 2,
  resourceExhausted: 8,
  alreadyExists: 6,
  permissionDenied: 7,
  unavailable: 14,
  unauthenticated: 16,
} as const

export interface GrpcEnd {
  code: number
  message: string
}

export interface GrpcCall {
  /** Queues one message. */
  write(message: Uint8Array): void
  /** Whether more is queued than the connection takes now. */
  readonly isFull: boolean
  cancel(): void
}

const window = 1_048_576

/**
 * Opens one bidirectional gRPC call on a TLS connection of its own. `onEnd` is called once, also when the connection never
 * comes about. It speaks HTTP/2 by itself: a whole gRPC client costs an agent about as much memory as all the rest of it.
 * Source: "gRPC over HTTP2".
 */
export function openGrpcCall(
  to: { host: string; port: number; path: string; tls: ConnectionOptions; longestMessage: number },
  on: { message: (bytes: Buffer) => void; drain: () => void; end: (end: GrpcEnd) => void },
): GrpcCall {
  const authority = to.tls.servername ?? to.host
  const session = connect(`https://${authority}`, {
    createConnection: () => connectTls({ ...to.tls, host: to.host, port: to.port, ALPNProtocols: ['h2'] }),
    settings: { enablePush: false, initialWindowSize: window },
  })
  let over = false
  function end(code: number, message: string): void {
    if (over) return
    over = true
    session.destroy()
    on.end({ code, message })
  }
  session.on('error', (error) => end(grpcStatus.unavailable, error.message))
  session.on('close', () => end(grpcStatus.unavailable, 'the connection was closed'))
  session.on('connect', () => session.setLocalWindowSize(window))

  const stream = session.request({
    ':method': 'POST',
    ':path': to.path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'nxmesh-agent',
  })
  function endFrom(headers: IncomingHttpHeaders): void {
    const code = Number(headers['grpc-status'])
    end(Number.isInteger(code) ? code : grpcStatus.unknown, decodeMessage(String(headers['grpc-message'] ?? '')))
  }
  stream.on('response', (headers) => {
    if (headers['grpc-status'] !== undefined) return endFrom(headers)
    const status = headers[':status']
    if (status !== 200) end(grpcStatus.unavailable, `the server answered with HTTP status ${status}`)
  })
  stream.on('trailers', endFrom)
  stream.on('drain', on.drain)
  stream.on('error', (error) => end(grpcStatus.unavailable, error.message))
  stream.on('close', () => end(grpcStatus.unavailable, 'the call was closed'))
  const frames = frameReader(to.longestMessage, on.message)
  stream.on('data', (chunk: Buffer) => {
    const problem = over ? undefined : frames(chunk)
    if (problem !== undefined) end(grpcStatus.resourceExhausted, problem)
  })

  return {
    write(message) {
      if (over) return
      const head = Buffer.alloc(5)
      head.writeUInt32BE(message.length, 1)
      stream.write(Buffer.concat([head, message]))
    },
    get isFull() {
      return stream.writableNeedDrain
    },
    cancel() {
      over = true
      session.destroy()
    },
  }
}

/** Cuts a stream of bytes into messages: a byte that tells compression, four of length, the message. Returns what is wrong with it, if anything. */
export function frameReader(longest: number, onMessage: (bytes: Buffer) => void): (chunk: Buffer) => string | undefined {
  let chunks: Buffer[] = []
  let held = 0
  return (chunk) => {
    chunks.push(chunk)
    held += chunk.length
    while (held >= 5) {
      const head = chunks[0]!.length >= 5 ? chunks[0]! : Buffer.concat(chunks).subarray(0, 5)
      const length = head.readUInt32BE(1)
      if (head[0] !== 0) return 'the server sent a compressed message, which was not asked for'
      if (length > longest) return `the server sent a message of ${length} bytes; at most ${longest} are taken`
      if (held < 5 + length) return undefined
      const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      const rest = bytes.subarray(5 + length)
      chunks = rest.length > 0 ? [rest] : []
      held = rest.length
      onMessage(bytes.subarray(5, 5 + length))
    }
    return undefined
  }
}

/** Percent-decoding that never fails. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
