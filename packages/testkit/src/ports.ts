import { createServer } from 'node:net'

// Below the ports that Linux gives to outgoing connections, any of which could be on a free one before its server is.
const [lowest, highest] = [10_000, 32_767]
// Suites run beside each other, each in a lane of its own: what one has chosen and not yet opened, none of the others takes.
const lanes = 8
const lane = Number(process.env['VITEST_POOL_ID'] ?? 0) % lanes
let next = lowest + lane + lanes * Math.floor((Math.random() * (highest - lowest)) / lanes)

/** A TCP port that was free on every address a moment ago; no other for a long time in this process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = next
    next = next + lanes <= highest ? next + lanes : lowest + lane
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
