#!/usr/bin/env node
import { helpText, readConfig } from './config.ts'
import { keepMemoryOutOfCoreFiles } from './core-files.ts'
import { type Maintenance, runMaintenance } from './maintenance.ts'
import { startMaster } from './start.ts'
import { version } from './version.ts'

keepMemoryOutOfCoreFiles()
const asked = readConfig(process.argv.slice(2), process.env)
switch (asked.kind) {
  case 'help':
    console.log(helpText())
    break
  case 'version':
    console.log(version)
    break
  case 'refused':
    console.error(asked.message)
    process.exitCode = 2
    break
  case 'run':
    await run(asked.config)
    break
  default:
    await maintain(asked)
}

async function run(config: Parameters<typeof startMaster>[0]): Promise<void> {
  const stop = new AbortController()
  const stopped = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  try {
    await using master = await startMaster(config, { signal: stop.signal })
    const { http, agents, administrator } = master
    if (administrator) console.log(`administrator email=${administrator.email} password=${administrator.password}`)
    console.log(`ready http=http://${authority(http)} agents=${authority(agents)}`)
    await stopped
  } catch (error) {
    if (stop.signal.aborted && (error as Error).name === 'AbortError') return
    console.error(sentenceOf(error, config))
    process.exitCode = 1
  }
}

async function maintain(asked: Maintenance): Promise<void> {
  try {
    console.log(await runMaintenance(asked))
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  }
}

function authority({ host, port }: { host: string; port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function sentenceOf(error: unknown, config: Parameters<typeof startMaster>[0]): string {
  const { code, port, message } = error as { code?: string; port?: number; message?: string }
  if (code !== 'EADDRINUSE') return message ?? String(error)
  const [flag, variable] = port === config.http.port ? ['--http', 'NXMESH_HTTP'] : ['--agents', 'NXMESH_AGENTS']
  return `port ${port} is already in use; choose another one with ${flag} or ${variable}`
}
