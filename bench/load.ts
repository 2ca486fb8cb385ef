import { Agent, request } from 'node:http'
import { processorMilliseconds } from './programs.ts'

/** A server that requests are sent to, as a process of its own. */
export interface Target {
  name: string
  base: string
  pid: number
  /** The access token that comes with each request. */
  token: string
}

export interface Ask {
  method: string
  path: string
  body?: object
}

export interface Outcome {
  /** From the first request to the last answer, in milliseconds. */
  took: number
  /** Processor time of the server meanwhile, in milliseconds. */
  processor: number
  /** How long each request waited for its answer, in milliseconds, in the order of the answers. */
  waits: number[]
  /** Bytes of the bodies that came back. */
  bytes: number
}

/** Sends as many requests over `connections` that stay open, on each the next one after the answer to the last. */
export async function send(target: Target, connections: number, asks: Ask[]): Promise<Outcome> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const waits: number[] = []
  let [next, bytes] = [0, 0]
  async function run() {
    while (next < asks.length) {
      const ask = asks[next++]!
      const start = performance.now()
      const length = await sendOne(target, agent, ask)
      bytes += length
      waits.push(performance.now() - start)
    }
  }
  const before = await processorMilliseconds(target.pid)
  const start = performance.now()
  await Promise.all(Array.from({ length: connections }, run))
  const took = performance.now() - start
  const processor = (await processorMilliseconds(target.pid)) - before
  agent.destroy()
  return { took, processor, waits, bytes }
}

/** The length of the answer's body; an answer that is no success is an error. */
function sendOne({ name, base, token }: Target, agent: Agent, { method, path, body }: Ask): Promise<number> {
  const text = body && JSON.stringify(body)
  const headers = {
    authorization: `Bearer ${token}`,
    ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
  }
  return new Promise((resolve, reject) => {
    const asked = request(`${base}/v1${path}`, { agent, method, headers }, (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => (bytes += chunk.length))
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode! < 300) resolve(bytes)
        else reject(new Error(`${name} answered ${method} ${path} with ${response.statusCode}`))
      })
    })
    asked.on('error', reject)
    asked.end(text)
  })
}
