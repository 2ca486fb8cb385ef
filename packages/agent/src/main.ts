#!/usr/bin/env node
import { once } from 'node:events'
import { readConfig } from './config.ts'
import type { Log } from './scope.ts'
import { startAgent } from './start.ts'
import { version } from './version.ts'

const log: Log = (level, message, fields = {}) => {
  const details = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`)
  process.stderr.write(`${new Date().toISOString()} ${level} ${message}${details.join('')}\n`)
}

async function main(): Promise<number> {
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
    case 'run': {
      const { options } = parsed
      await using _agent = await startAgent(options, { log })
      process.stdout.write(`ready master=${options.master} data=${options.dataDir} nginx=${options.nginx}\n`)
      const stop = new AbortController()
      await Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal, { signal: stop.signal }).catch(() => undefined)))
      stop.abort()
      log('info', 'the agent stops; nginx goes on serving')
      return 0
    }
    default:
      return parsed satisfies never
  }
}

try {
  process.exitCode = await main()
} catch (cause) {
  process.stderr.write(`nxmesh-agent: ${(cause as Error).message}\n`)
  process.exitCode = 1
}
