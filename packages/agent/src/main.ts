#!/usr/bin/env node
import { once } from 'node:events'
import { keepMemoryOutOfCoreFiles } from './core-files.ts'
import type { Log } from './scope.ts'
import type { AgentOptions } from './start.ts'
import { version } from './version.ts'

// The settings, once they are read: see `become`.
const optionsVariable = 'NXMESH_AGENT_OPTIONS'
// Small spaces and no optimising compiler suit a program that mostly waits; rendering a thousand hosts takes as long without. The quick
// compilers stay: without them (--lite-mode, 8 MB less) reading a line of the access log takes eight times as long.
const memoryFlags = [
  '--max-semi-space-size=1',
  '--v8-pool-size=1',
  '--no-opt',
  '--max-lazy',
  '--initial-heap-size=4',
  '--optimize-for-size',
]

const log: Log = (level, message, fields = {}) => {
  const details = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`)
  process.stderr.write(`${new Date().toISOString()} ${level} ${message}${details.join('')}\n`)
}

async function main(): Promise<number> {
  const { readConfig } = await import('./config.ts')
  const parsed = await readConfig(process.argv.slice(2), process.env)
  switch (parsed.kind) {
    case 'help':
      process.stdout.write(parsed.text)
      return 0
    case 'version':
      process.stdout.write(`nxmesh-agent ${version}\n`)
      return 0
    case 'invalid':
      process.stderr.write(`${parsed.message}\nSee nxmesh-agent --help.\n`)
      return 2
    case 'run':
      return become(parsed.options)
    default:
      return parsed satisfies never
  }
}

/** Replaces this process, which has loaded the readers of all settings, by one of the same pid that has not: they would stay in memory for good. */
function become(options: AgentOptions): never {
  const { NXMESH_TOKEN: _token, ...env } = process.env
  const args = [process.execPath, ...process.execArgv, ...memoryFlags, process.argv[1]!, ...process.argv.slice(2).filter(isPublic)]
  return process.execve!(process.execPath, args, { ...env, [optionsVariable]: JSON.stringify(options) })
}

function isPublic(argument: string, index: number, all: readonly string[]): boolean {
  return !argument.startsWith('--token') && all[index - 1] !== '--token'
}

async function run(options: AgentOptions): Promise<number> {
  keepMemoryOutOfCoreFiles()
  const { startAgent } = await import('./start.ts')
  await using _agent = await startAgent(options, { log })
  process.stdout.write(`ready master=${options.master} data=${options.dataDir} nginx=${options.nginx}\n`)
  const stop = new AbortController()
  await Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal, { signal: stop.signal }).catch(() => undefined)))
  stop.abort()
  log('info', 'the agent stops; nginx goes on serving')
  return 0
}

try {
  const options = process.env[optionsVariable]
  delete process.env[optionsVariable]
  process.exitCode = options === undefined ? await main() : await run(JSON.parse(options))
} catch (cause) {
  process.stderr.write(`nxmesh-agent: ${(cause as Error).message}\n`)
  process.exitCode = 1
}
