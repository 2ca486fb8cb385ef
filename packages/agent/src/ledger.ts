import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Finding } from '@nxmesh/model/agent'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { type DataPaths, replaceFile } from './durable.ts'

export interface Fact {
  version: number
  digest: string
}

export interface DesiredConfig extends Fact {
  config_id: string
  config: AgentConfig
}

export type ApplyStatus = 'pending' | 'validating' | 'applying' | 'success' | 'failed' | 'rolled_back'

export interface StatusReport extends Fact {
  config_id: string
  status: ApplyStatus
  error_message: string
  findings: Finding[]
  duration_ms: number
  /** Milliseconds since the epoch. */
  applied_at: number
}

export interface LedgerState {
  /** Who the master says this agent is. Another identity begins with another history of versions. */
  agent_id: string | null
  desired: (Fact & { config_id: string }) | null
  good: (Fact & { generation: string }) | null
  /** What could not be applied. `host`: the cause lies on this machine and may go away by itself. */
  rejected: (Fact & { cause: 'config' | 'host' }) | null
  /** The last final report, sent again after each reconnect. */
  report: StatusReport | null
  /** nginx was stopped by command and stays so until a command starts it. */
  stopped: boolean
}

export type Acceptance = { kind: 'accepted' } | { kind: 'unchanged' } | { kind: 'older'; than: number }

export interface Ledger {
  readonly state: Readonly<LedgerState>
  accept(update: DesiredConfig): Promise<Acceptance>
  /** Changes the state at once and on disk; when the disk refuses, the change is kept and `flush` tries again. */
  change(changes: Partial<LedgerState>): Promise<void>
  readonly unsaved: boolean
  flush(): Promise<void>
  configOf(digest: string): Promise<AgentConfig | undefined>
}

const empty: LedgerState = { agent_id: null, desired: null, good: null, rejected: null, report: null, stopped: false }

/** Opens the agent's memory: what it should run, what it last ran well and what it could not run. */
export async function openLedger(paths: DataPaths): Promise<Ledger> {
  let state = await readState(paths.ledger)
  let unsaved = false
  const configPath = (digest: string) => join(paths.configs, `${digest}.json`)

  async function save(next: LedgerState): Promise<void> {
    await replaceFile(paths.ledger, `${JSON.stringify(next, null, 1)}\n`)
    unsaved = false
  }

  async function forgetConfigs(): Promise<void> {
    const kept = new Set([state.desired?.digest, state.good?.digest].map((digest) => `${digest}.json`))
    for (const name of await readdir(paths.configs)) if (!kept.has(name)) await rm(join(paths.configs, name), { force: true })
  }

  return {
    get state() {
      return state
    },
    get unsaved() {
      return unsaved
    },
    async accept({ config, config_id, version, digest }) {
      const { desired } = state
      if (desired && version < desired.version) return { kind: 'older', than: desired.version }
      if (desired && version === desired.version && digest === desired.digest) return { kind: 'unchanged' }
      // The config goes first: the ledger never names a config that is not on disk.
      if (desired?.digest !== digest) await replaceFile(configPath(digest), JSON.stringify(config))
      const next = { ...state, desired: { config_id, version, digest } }
      await save(next)
      state = next
      await forgetConfigs()
      return { kind: 'accepted' }
    },
    async change(changes) {
      state = { ...state, ...changes }
      unsaved = true
      await save(state)
    },
    async flush() {
      if (unsaved) await save(state)
    },
    async configOf(digest) {
      try {
        return JSON.parse(await readFile(configPath(digest), 'utf8')) as AgentConfig
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw cause
      }
    },
  }
}

async function readState(path: string): Promise<LedgerState> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return empty
    throw cause
  }
  try {
    return { ...empty, ...(JSON.parse(text) as Partial<LedgerState>) }
  } catch (cause) {
    throw new Error(`${path} is not readable as JSON; remove it to let the agent start anew from its master`, { cause })
  }
}
