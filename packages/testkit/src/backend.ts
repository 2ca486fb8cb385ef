import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'

const program = `
const http = require('node:http')
let mode = 'well'
const server = http.createServer((request, response) => {
  if (request.url.startsWith('/become/')) { mode = request.url.slice(8); return response.end() }
  if (mode === 'broken') response.statusCode = 500
  if (mode === 'moved') { response.statusCode = 302; response.setHeader('location', 'http://127.0.0.1:1/') }
  response.setHeader('x-host', request.headers.host)
  const answer = () => response.end(process.argv[1])
  mode === 'slow' ? setTimeout(answer, 3000) : answer()
})
server.listen(/^\\d+$/.test(process.argv[2]) ? { port: Number(process.argv[2]), host: '127.0.0.1' } : process.argv[2], () =>
  console.log(server.address().port ?? 0))
`

export interface Backend extends AsyncDisposable {
  name: string
  address: string
  /** Answers 500, answers late, redirects, or does well again. */
  become(mode: 'well' | 'broken' | 'slow' | 'moved'): Promise<void>
  /** Ends it at once: connections to it are refused. */
  kill(): Promise<void>
  /** Stops it: connections are taken, and nothing is said. */
  hang(): void
  /** Runs it again at the same address. */
  revive(): Promise<void>
}

/** Starts an HTTP server in a process of its own, which answers with its name; on a unix socket where a path is given. */
export async function startBackend(name: string, socket?: string): Promise<Backend> {
  let child: ChildProcess
  let port = 0

  async function start(): Promise<void> {
    child = spawn(process.execPath, ['-e', program, name, socket ?? String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(child.stdout!, 'data')) as [Buffer]
    port = Number(line.toString())
  }

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  await start()
  return {
    name,
    get address() {
      return socket === undefined ? `127.0.0.1:${port}` : `unix:${socket}`
    },
    async become(mode) {
      const to = socket === undefined ? { host: '127.0.0.1', port } : { socketPath: socket }
      const call = request({ ...to, path: `/become/${mode}`, agent: false }).end()
      const [response] = await once(call, 'response')
      await once(response.resume(), 'end')
    },
    kill,
    hang: () => void child.kill('SIGSTOP'),
    async revive() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGCONT')
      else await start()
    },
    [Symbol.asyncDispose]: kill,
  }
}
