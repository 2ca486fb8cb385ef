import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { AgentConfig, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { digestOf } from '@nxmesh/model/digest'
import type { DesiredConfig, StatusReport } from '../src/ledger.ts'
import { stopNginx } from '../src/nginx.ts'
import { allProcesses, childrenOf, commandLine, isAlive } from '../src/processes.ts'
import { type Agent, type AgentOptions, type Overrides, startAgent } from '../src/start.ts'

const root = resolve(import.meta.dirname, '../../..')

/** Every nginx at hand: the distribution's and those that the project's script has brought. */
export const nginxBinaries: { label: string; path: string }[] = [
  { label: 'system', path: '/usr/sbin/nginx' },
  ...(existsSync(join(root, '.nginx'))
    ? readdirSync(join(root, '.nginx')).map((label) => ({ label, path: join(root, '.nginx', label, 'usr/sbin/nginx') }))
    : []),
].filter(({ path }) => existsSync(path))

export interface Bench extends AsyncDisposable {
  directory: string
  data: string
  statuses: StatusReport[]
  log: string[]
}

/** A directory of its own; at the end every nginx that was started from it is gone, then the directory. */
export async function openBench(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'nxa-'))
  return {
    directory,
    data: join(directory, 'data'),
    statuses: [],
    log: [],
    async [Symbol.asyncDispose]() {
      await endNginxOf(directory)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** The master processes of nginx below a directory. A worker bears its master's name until it has taken its own, so children do not count. */
export async function mastersOf(directory: string): Promise<number[]> {
  const found: number[] = []
  for (const pid of await allProcesses()) {
    const line = await commandLine(pid)
    if (line.startsWith('nginx: master process') && line.includes(`${directory}/`) && (await isAlive(pid))) found.push(pid)
  }
  const children = new Set((await Promise.all(found.map(childrenOf))).flat())
  return found.filter((pid) => !children.has(pid))
}

export async function endNginxOf(directory: string): Promise<void> {
  for (const pid of await mastersOf(directory)) await stopNginx(pid, { graceful: false, timeoutMs: 3000 }).catch(() => undefined)
}

export function optionsOf(bench: Bench, changes: Partial<AgentOptions> = {}): AgentOptions {
  return { dataDir: bench.data, nginx: '/usr/sbin/nginx', mode: 'owned', labels: {}, deploymentMode: 'standalone', ...changes }
}

export function startOn(bench: Bench, changes: Partial<AgentOptions> = {}, overrides: Overrides = {}): Promise<Agent> {
  return startAgent(optionsOf(bench, changes), {
    onStatus: (status) => bench.statuses.push(status),
    log: (level, message, fields) => bench.log.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`),
    ...overrides,
  })
}

/** Polls until a condition holds; fails with what was seen last. */
export async function until<T>(what: string, ask: () => T | Promise<T>, timeoutMs = 20_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs
  let last: unknown
  while (performance.now() < deadline) {
    const answer = await Promise.resolve()
      .then(ask)
      .catch((cause: unknown) => {
        last = cause
        return undefined
      })
    if (answer) return answer
    await delay(20)
  }
  throw new Error(`waited in vain until ${what}`, { cause: last })
}

const finals = ['success', 'failed', 'rolled_back']

/** Offers a config and waits for the final word on it. */
export async function applyOn(agent: Agent, bench: Bench, update: DesiredConfig): Promise<StatusReport> {
  const from = bench.statuses.length
  agent.offer(update)
  return until(`version ${update.version} is settled`, () =>
    bench.statuses.slice(from).find((status) => status.version === update.version && finals.includes(status.status)),
  )
}

let ids = 0

export function host(port: number, changes: Partial<ConfigVirtualHost> = {}): ConfigVirtualHost {
  const id = `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`
  return {
    id,
    name: `host ${id}`,
    server_name: 'a.test',
    listen_port: port,
    ssl_enabled: false,
    ssl_certificate_id: null,
    http2_enabled: false,
    http3_enabled: false,
    locations: [],
    custom_directives: {},
    ...changes,
  }
}

/** A virtual host that answers every request with a text. */
export function answering(port: number, text: string, changes: Partial<ConfigVirtualHost> = {}): ConfigVirtualHost {
  const location = { path: '/', custom_headers: [], rewrite_rules: [], custom_directives: { return: `200 "${text}"` } }
  return host(port, { locations: [location], ...changes })
}

export function desired(version: number, config: Partial<AgentConfig>): DesiredConfig {
  const whole: AgentConfig = {
    virtual_hosts: [],
    upstreams: [],
    certificates: {},
    settings: { nginx_directives: {}, env_vars: {} },
    ...config,
  }
  return { version, digest: digestOf(whole), config_id: `config-${version}`, config: whole }
}

export async function ask(port: number, path = '/', name = 'a.test', host = '127.0.0.1'): Promise<string> {
  const { request } = await import('node:http')
  return new Promise((resolve, reject) => {
    const call = request({ host, port, path, headers: { host: name }, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (body += chunk))
      response.on('end', () => resolve(body))
    })
    call.on('error', reject)
    call.end()
  })
}

export async function errorLogOf(bench: Bench): Promise<string> {
  return readFile(join(bench.data, 'runtime/error.log'), 'utf8').catch(() => '')
}

/** One binary per version at hand. */
export function distinctBinaries(): typeof nginxBinaries {
  const seen = new Set<string>()
  return nginxBinaries.filter(({ path }) => {
    const version = spawnSync(path, ['-v']).stderr.toString()
    if (seen.has(version)) return false
    seen.add(version)
    return true
  })
}
