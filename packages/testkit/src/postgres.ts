import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, readdirSync, readFileSync } from 'node:fs'
import { chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { scratch } from './scratch.ts'
import { until } from './until.ts'

export interface Postgres extends AsyncDisposable {
  /** Makes an empty database and returns its address. */
  createDatabase(): Promise<string>
  /** Stops the server as a host that goes down: no connection is said goodbye to. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Freezes the server and all its connections, and lets them go on. */
  freeze(): void
  thaw(): void
}

export interface PostgresOptions {
  /** Whether a commit reaches the disk; off unless asked for, because no test takes the power away. */
  durable?: boolean
}

/** Starts a PostgreSQL server of the distribution in a directory of its own, which it leaves with everything in it. */
export async function startPostgres({ durable = false }: PostgresOptions = {}): Promise<Postgres> {
  const bin = binaries()
  const user = unprivileged()
  await using stack = new AsyncDisposableStack()
  const directory = stack.use(await scratch()).path
  const data = join(directory, 'data')
  await mkdir(data, { mode: 0o700 })
  if (user !== undefined) for (const path of [directory, data]) await chown(path, user.uid, user.gid)
  await run(join(bin, 'initdb'), ['-D', data, '-U', 'nxmesh', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'], user)
  // A unix socket needs no port and is reached by nobody else.
  const settings = { listen_addresses: '', unix_socket_directories: directory, fsync: durable ? 'on' : 'off', shared_buffers: '32MB' }
  const args = ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const address = (database: string) => `postgres:///${database}?host=${encodeURIComponent(directory)}&user=nxmesh`
  let server: ChildProcess | undefined
  let databases = 0

  async function start() {
    server = spawn(join(bin, 'postgres'), args, { stdio: 'ignore', detached: true, ...user })
    await until('PostgreSQL to answer', () => query(address('postgres'), 'select 1'), 30)
  }

  function signal(name: NodeJS.Signals) {
    if (server?.pid !== undefined && server.exitCode === null && server.signalCode === null) process.kill(server.pid, name)
  }

  // Every connection has a process of its own in a session of its own, so a group does not reach them.
  function everyProcess(): number[] {
    if (server?.pid === undefined) return []
    return [server.pid, ...readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)]
  }

  function signalAll(name: NodeJS.Signals) {
    for (const pid of everyProcess()) {
      try {
        process.kill(pid, name)
      } catch (error) {
        // A connection that has ended meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
  }

  // SIGQUIT is an immediate shutdown (PostgreSQL manual, "Shutting Down the Server").
  async function stop() {
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const ended = once(server, 'exit')
    signal('SIGQUIT')
    await ended
  }

  stack.defer(stop)
  stack.defer(() => signalAll('SIGCONT'))
  await start()
  const opened = stack.move()
  return {
    async createDatabase() {
      const name = `test_${++databases}`
      await query(address('postgres'), `create database ${name}`)
      return address(name)
    },
    stop,
    start,
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

// Debian keeps the server's programs outside of PATH, a folder for each version.
function binaries(): string {
  const root = '/usr/lib/postgresql'
  const folders = ['/usr/bin', '/usr/local/bin', ...versionsIn(root).map((version) => join(root, version, 'bin'))]
  const found = folders.findLast((folder) => {
    try {
      accessSync(join(folder, 'initdb'))
      return true
    } catch {
      return false
    }
  })
  if (found === undefined) throw new Error('there is no PostgreSQL server here; the distribution has it in the package postgresql')
  return found
}

function versionsIn(root: string): string[] {
  try {
    return readdirSync(root).sort((a, b) => Number(a) - Number(b))
  } catch {
    return []
  }
}

// PostgreSQL refuses to run as root.
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => /^(postgres|nobody):/.test(entry))
  const [, , uid, gid] = line?.split(':') ?? []
  if (uid === undefined || gid === undefined) throw new Error('there is no user postgres or nobody to run PostgreSQL as')
  return { uid: Number(uid), gid: Number(gid) }
}

async function query(address: string, text: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: address })
  await client.connect()
  try {
    await client.query(text)
    return true
  } finally {
    await client.end()
  }
}

async function run(command: string, args: string[], user: { uid: number; gid: number } | undefined): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/', ...user })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${command} failed (${code}):\n${output}`)
}
