import { connect } from 'node:net'

/** Asks a plain HTTP/1.0 question over a unix socket on a fresh connection; the body of a 200, or nothing when nobody answers so. */
export function askUnixSocket(path: string, target: string, timeoutMs = 1000): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect({ path })
    const end = (body: string | undefined) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(body)
    }
    const timer = setTimeout(() => end(undefined), timeoutMs)
    socket.on('connect', () => socket.write(`GET ${target} HTTP/1.0\r\nHost: nxmesh\r\n\r\n`))
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', () => end(undefined))
    socket.on('close', () => end(bodyOf(Buffer.concat(chunks).toString())))
  })
}

/** Tells whether anybody accepts connections on a unix socket. A killed nginx leaves its socket file behind. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'))
  })
}

function bodyOf(response: string): string | undefined {
  const end = response.indexOf('\r\n\r\n')
  if (end < 0 || !/^HTTP\/1\.[01] 200 /.test(response)) return undefined
  return response.slice(end + 4)
}
