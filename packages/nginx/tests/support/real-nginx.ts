import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import type { Rendered, RenderTarget } from '../../src/render/target.ts'
import { render } from '../../src/render.ts'
import type { NginxBinary } from './nginx-versions.ts'

/** A folder of its own, removed at the end of the block. */
export function temporaryFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'nxmesh-nginx-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export function targetFor({ facts }: NginxBinary, folder: string, over: Partial<RenderTarget> = {}): RenderTarget {
  const user = process.getuid?.() === 0 ? { worker_user: 'root' } : {}
  return { facts, mode: 'owned', digest: 'abc123', runtime_directory: folder, ipv6: false, ...user, ...over }
}

/** Runs `nginx -t` on one file. The output is latin1, byte by byte. */
export function testFile({ path, facts }: NginxBinary, folder: string, file: string): { ok: boolean; output: string } {
  const quiet = facts.supports.error_log_option ? ['-e', 'stderr'] : []
  const run = spawnSync(path, ['-t', ...quiet, '-p', folder, '-c', file], { encoding: 'latin1', timeout: 30_000 })
  return { ok: run.status === 0, output: run.stderr }
}

/** Runs `nginx -t` on the text of an http block, latin1 byte by byte; `main` stands before all else. */
export function testHttp(binary: NginxBinary, http: string, main = ''): { ok: boolean; output: string } {
  using folder = temporaryFolder()
  const file = join(folder.path, 'test.conf')
  writeFileSync(file, main + wrap(http), 'latin1')
  return testFile(binary, folder.path, file)
}

/** Writes what was rendered and runs `nginx -t` on it. */
export function testRendered(binary: NginxBinary, config: AgentConfig, over: Partial<RenderTarget> = {}) {
  using folder = temporaryFolder()
  const target = targetFor(binary, folder.path, { directory: folder.path, ...over })
  const rendered = render(config, target)
  writeFiles(folder.path, rendered)
  const main = target.mode === 'owned' ? 'test.conf' : 'host.conf'
  if (target.mode === 'include') writeFileSync(join(folder.path, main), wrap('include http.conf;'))
  return { rendered, ...testFile(binary, folder.path, join(folder.path, main)) }
}

export function writeFiles(folder: string, rendered: Rendered): void {
  for (const { path, text, mode } of rendered.files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text, { mode })
  }
}

export interface Serving extends AsyncDisposable {
  rendered: Rendered
  folder: string
}

/** Renders, starts nginx and waits until it answers on its private socket. */
export async function serve(binary: NginxBinary, config: AgentConfig, over: Partial<RenderTarget> = {}): Promise<Serving> {
  const folder = temporaryFolder()
  const target = targetFor(binary, folder.path, over)
  const rendered = render(config, target)
  writeFiles(folder.path, rendered)
  const stop = await start(binary, folder.path, 'nginx.conf', join(folder.path, 'nginx.sock'))
  return {
    rendered,
    folder: folder.path,
    [Symbol.asyncDispose]: async () => {
      await stop()
      folder[Symbol.dispose]()
    },
  }
}

/** Starts nginx with the text of an http block; `http` is given the path of a unix socket to listen on. */
export async function serveHttp(binary: NginxBinary, http: (socket: string) => string): Promise<AsyncDisposable & { socket: string }> {
  const folder = temporaryFolder()
  const socket = join(folder.path, 's.sock')
  writeFileSync(join(folder.path, 'n.conf'), wrap(http(socket)))
  const stop = await start(binary, folder.path, 'n.conf', socket)
  return {
    socket,
    [Symbol.asyncDispose]: async () => {
      await stop()
      folder[Symbol.dispose]()
    },
  }
}

/** Starts nginx with a file of a folder; it serves when it answers on the unix socket. */
export async function serveFolder(binary: NginxBinary, folder: string, file: string, socket: string): Promise<AsyncDisposable> {
  const stop = await start(binary, folder, file, socket)
  return { [Symbol.asyncDispose]: stop }
}

async function start({ path, facts }: NginxBinary, folder: string, file: string, socket: string): Promise<() => Promise<void>> {
  const quiet = facts.supports.error_log_option ? ['-e', 'stderr'] : []
  const child = spawn(path, [...quiet, '-p', folder, '-c', join(folder, file), '-g', 'daemon off;'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  child.stderr.on('data', (data: Buffer) => (output += data.toString()))
  const deadline = Date.now() + 20_000
  while (!(await isAnswered(socket))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stopped(child)
      throw new Error(`nginx ${facts.version} did not start: ${output}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return () => stopped(child)
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await exit
}

/** Workers answer only after every port is open, the socket takes connections before that. */
async function isAnswered(socket: string): Promise<boolean> {
  return (await get(socket, '/').catch(() => '')) !== ''
}

/** A main configuration around an http block, with all files relative to nginx's prefix. */
export function wrap(http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path t_${kind};`).join(' ')
  const user = process.getuid?.() === 0 ? 'user root; ' : ''
  return `${user}pid n.pid; error_log stderr; events {} http { access_log off; ${temporary}\n${http}\n}\n`
}

/** Sends raw bytes and reads until the other side closes. Text is latin1, byte by byte. */
export async function exchange(to: number | string | { host: string; port: number }, request: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const connection = typeof to === 'number' ? connect(to, '127.0.0.1') : typeof to === 'string' ? connect(to) : connect(to.port, to.host)
    let answer = ''
    connection.setEncoding('latin1')
    connection.on('data', (data) => (answer += data.toString()))
    connection.on('error', reject)
    connection.on('close', () => resolve(answer))
    connection.write(request, 'latin1')
  })
}

/** A GET request over a connection of its own; gives the whole answer. */
export async function get(
  to: number | string | { host: string; port: number },
  path: string,
  host = 'localhost',
  headers = '',
): Promise<string> {
  return await exchange(to, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${headers}\r\n`)
}
