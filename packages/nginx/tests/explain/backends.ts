import { createServer as createHttp2 } from 'node:http2'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Echo } from './compare.ts'

/** Where each protocol is spoken: by servers that answer with what they were asked. */
export interface Backends extends AsyncDisposable {
  http: string
  grpc: string
  fastcgi: string
  uwsgi: string
  scgi: string
}

export async function startBackends(): Promise<Backends> {
  const sockets = new Set<Socket>()
  const servers: Server[] = []
  const listen = async (server: Server) => {
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  /** Answers once the request can be read whole, and lets nginx close. */
  const answering = (answer: (request: Buffer) => Buffer | string | undefined) =>
    createServer((socket) => {
      let request = Buffer.alloc(0)
      socket.on('data', (data) => {
        request = Buffer.concat([request, data])
        const bytes = answer(request)
        if (bytes !== undefined) socket.end(bytes)
      })
    })
  return {
    http: await listen(answering(answerHttp)),
    grpc: await listen(grpcServer()),
    fastcgi: await listen(answering(answerFastcgi)),
    uwsgi: await listen(answering(answerUwsgi)),
    scgi: await listen(answering(answerScgi)),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    },
  }
}

function answerHttp(request: Buffer): string | undefined {
  const end = request.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [first = '', ...lines] = request.subarray(0, end).toString().split('\r\n')
  // A path may hold a space: nginx does not always escape it.
  const [, method = '', url = ''] = /^(\S+) (.*) HTTP/.exec(first) ?? []
  const headers = lines.map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)])
  return `HTTP/1.0 200 OK\r\n\r\n${JSON.stringify({ method, url, headers } satisfies Echo)}`
}

function grpcServer(): Server {
  const server = createHttp2()
  server.on('stream', (stream, headers) => {
    const { ':method': method = '', ':path': url = '', ':scheme': _scheme, ...others } = headers
    const fields = Object.entries(others).map(([name, value]): [string, string] => [name, String(value)])
    stream.on('error', () => undefined)
    stream.respond({ ':status': 200 })
    stream.end(JSON.stringify({ method, url, headers: fields } satisfies Echo))
  })
  return server
}

/** Source: FastCGI specification 1.0, sections 3.3 and 3.4. */
function answerFastcgi(request: Buffer): Buffer | undefined {
  const params: Buffer[] = []
  for (let at = 0; at + 8 <= request.length; ) {
    const [type, length, padding] = [request[at + 1], request.readUInt16BE(at + 4), request[at + 6]!]
    if (at + 8 + length > request.length) return undefined
    if (type === 4) params.push(request.subarray(at + 8, at + 8 + length))
    if (type === 5 && length === 0) {
      const body = Buffer.from(`Status: 200\r\n\r\n${told(pairsOf(Buffer.concat(params)))}`)
      return Buffer.concat([record(6, body), record(6, Buffer.alloc(0)), record(3, Buffer.alloc(8))])
    }
    at += 8 + length + padding
  }
  return undefined
}

function record(type: number, content: Buffer): Buffer {
  const head = Buffer.from([1, type, 0, 1, 0, 0, 0, 0])
  head.writeUInt16BE(content.length, 4)
  return Buffer.concat([head, content])
}

function pairsOf(bytes: Buffer): Echo['headers'] {
  let at = 0
  const length = () => {
    const short = bytes[at]!
    if (short < 128) return (at++, short)
    at += 4
    return bytes.readUInt32BE(at - 4) & 0x7fffffff
  }
  const pairs: Echo['headers'] = []
  while (at < bytes.length) {
    const [name, value] = [length(), length()]
    pairs.push([bytes.subarray(at, at + name).toString(), bytes.subarray(at + name, at + name + value).toString()])
    at += name + value
  }
  return pairs
}

/** Source: uWSGI documentation, "The uwsgi protocol". */
function answerUwsgi(request: Buffer): string | undefined {
  if (request.length < 4 || request.length < 4 + request.readUInt16LE(1)) return undefined
  const bytes = request.subarray(4, 4 + request.readUInt16LE(1))
  const words: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt16LE(at)
    words.push(bytes.subarray(at + 2, at + 2 + length).toString())
    at += 2 + length
  }
  return `HTTP/1.1 200 OK\r\n\r\n${told(paired(words))}`
}

/** Source: python.ca, "SCGI: A Simple Common Gateway Interface alternative". */
function answerScgi(request: Buffer): string | undefined {
  const colon = request.indexOf(':')
  const length = Number(request.subarray(0, Math.max(colon, 0)).toString())
  if (colon === -1 || request.length < colon + 1 + length + 1) return undefined
  const words = request
    .subarray(colon + 1, colon + length)
    .toString()
    .split('\0')
  return `Status: 200 OK\r\n\r\n${told(paired(words))}`
}

function paired(words: string[]): Echo['headers'] {
  return words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1] ?? '']] : []))
}

function told(params: Echo['headers']): string {
  return JSON.stringify({ method: '', url: '', headers: params } satisfies Echo)
}
