import { createServer } from 'node:net'

// Below the ports that Linux gives to outgoing connections, any of which could be on a free one before its server is.
const [lowest, highest] = [10_000, 32_767]
let next = lowest + Math.floor(Math.random() * (highest - lowest))

/** A TCP port that was free on every address a moment ago; no other for a long time in this process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = next
    next = next < highest ? next + 1 : lowest
    if (await isFree(port)) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const bound = await new Promise<boolean>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)))
    server.listen(port, () => resolve(true))
  })
  if (bound) await new Promise((resolve) => server.close(resolve))
  return bound
}
