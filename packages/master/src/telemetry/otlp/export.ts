import type { OpenFile, Store } from '../open-store.ts'
import type { Ask } from '../sql.ts'
import { exportSignal, type SignalExport } from './export-signal.ts'
import type { KnownAgents } from './known-agents.ts'
import { openPost } from './post.ts'
import { type Progress, readProgress, removeDrafts, saveProgress } from './progress.ts'
import { countAfter, type ExportedTable, openReading } from './read.ts'
import { type ExportSetting, type Signal, type SignalStatus, signals } from './setting.ts'
import { sourcesOf } from './sources.ts'

export interface Export {
  wake: () => void
  /** Counts what of a file was not exported, before it is deleted. */
  leaving: (file: OpenFile) => Promise<void>
  stop: () => Promise<void>
}

interface Options {
  setting: ExportSetting
  knownAgents: KnownAgents
  isBusy: () => boolean
  onStatus: (signal: Signal, status: SignalStatus) => void
  onTrouble: (error: unknown) => void
  log: (level: 'info' | 'warn', message: string) => void
}

const tables: Record<Signal, ExportedTable[]> = { logs: ['access', 'errors'], metrics: ['samples'] }

/** Exports what a store holds and what comes: all that was added since the export was first set up. */
export async function startExport(store: Store, options: Options): Promise<Export> {
  const { setting, knownAgents, isBusy, onStatus, onTrouble, log } = options
  removeDrafts(store.directory)
  const connection = await store.instance.connect()
  const ask: Ask = async (sql, values) => (await connection.runAndReadAll(sql, values)).getRowObjectsJS()
  const read = openReading(store, ask)
  const stopped = new AbortController()
  const describe = (agents: Iterable<string>) => knownAgents.of(agents, stopped.signal)
  const exports: { signal: Signal; run: SignalExport }[] = []
  for (const signal of signals) {
    const address = setting.endpoints[signal]
    if (address === undefined) continue
    const name = `OTLP export of ${signal}`
    const run = exportSignal({
      name,
      sources: sourcesOf(signal, read, ask, describe),
      post: openPost(address, setting),
      progress: await begin(store, signal, (problem) => log('warn', `${name}: ${problem}; all that is stored is exported again`)),
      save: (progress) => saveProgress(store.directory, signal, progress),
      isBusy,
      onStatus: (status) => onStatus(signal, status),
      onTrouble,
      log,
    })
    exports.push({ signal, run })
  }
  return {
    wake: () => exports.forEach(({ run }) => run.wake()),
    async leaving({ name }) {
      for (const { signal, run } of exports) {
        let rows = 0
        for (const table of tables[signal]) rows += await countAfter(ask, name, table, run.taken(table))
        if (rows > 0) run.skip(rows)
      }
    },
    async stop() {
      stopped.abort()
      await Promise.all(exports.map(({ run }) => run.stop()))
      connection.closeSync()
    },
  }
}

async function begin(store: Store, signal: Signal, onProblem: (problem: string) => void): Promise<Progress> {
  const at = (row: number): Progress => {
    return { after: Object.fromEntries(tables[signal].map((table) => [table, row])), exported: 0, refused: 0, skipped: 0 }
  }
  try {
    const known = readProgress(store.directory, signal)
    if (known) return known
  } catch (error) {
    onProblem(`how far it was cannot be read (${(error as Error).message})`)
    return at(0)
  }
  // The next row has that number at least.
  const progress = at(Math.max(0, store.state.seq - 1))
  await saveProgress(store.directory, signal, progress)
  return progress
}
