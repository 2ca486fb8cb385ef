import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { createServer } from 'node:net'

/** Keeps a second agent out of a data directory. The kernel lets go of the lock with the process, however it ends (unix(7), abstract sockets). */
export async function lockData(directory: string): Promise<AsyncDisposable> {
  const name = createHash('sha256')
    .update(await realpath(directory))
    .digest('hex')
    .slice(0, 32)
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(cause.code === 'EADDRINUSE' ? new Error(`another agent already runs on the data directory ${directory}`) : cause)
    })
    server.listen(`\0nxmesh-agent-${name}`, resolve)
  })
  server.unref()
  return {
    async [Symbol.asyncDispose]() {
      await new Promise((closed) => server.close(closed))
    },
  }
}
