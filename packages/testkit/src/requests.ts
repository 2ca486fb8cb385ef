import { Agent, request } from 'node:http'

/** Asks a virtual host of this machine so many times, over a few connections that are kept open; how often each status was answered. */
export async function requestTimes(
  port: number,
  host: string,
  times: number,
  path: (index: number) => string = () => '/',
): Promise<Record<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const statuses: Record<string, number> = {}
  let next = 0
  async function run() {
    while (next < times) {
      const status = await ask(agent, port, host, path(next++))
      statuses[status] = (statuses[status] ?? 0) + 1
    }
  }
  await Promise.all([run(), run(), run(), run()])
  agent.destroy()
  return statuses
}

function ask(agent: Agent, port: number, host: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ agent, port, path, host: '127.0.0.1', headers: { host } }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
      response.on('error', reject)
    })
    asked.on('error', reject)
    asked.end()
  })
}
