import type { AgentConfig } from '@nxmesh/model/agent-config'
import { canonicalJson } from '@nxmesh/model/digest'
import { healthOf } from '@nxmesh/nginx/health-marks'
import { currentGeneration } from '../generations.ts'
import { binaryOf } from '../nginx.ts'
import { explain, outcomeOf, type Reconciler } from '../reconcile.ts'
import type { Scope } from '../scope.ts'
import { reloadBudget } from './budget.ts'

/** Brings marks, and the addresses of names, into the files of nginx: several at a time, and no more often than the budget allows. */
export interface MarkWriter extends AsyncDisposable {
  /** Marks or names may have changed: what goes down is written almost at once, what comes up waits for company. */
  settle(kind: 'down' | 'up'): void
}

const patienceMs = { down: 100, up: 500 }
const retryMs = 5000
const budgetOfReloads = { atOnce: 6, everyMs: 10_000 }

export function markWriter(
  scope: Scope,
  reconciler: Reconciler,
  { config, onWritten }: { config: () => AgentConfig | undefined; onWritten: () => Promise<void> },
): MarkWriter {
  const { log } = scope
  const budget = reloadBudget(budgetOfReloads)
  let due: { at: number; timer: NodeJS.Timeout } | undefined
  let writing = Promise.resolve()
  let over = false

  function after(ms: number): void {
    const at = performance.now() + ms
    if (over || (due && due.at <= at)) return
    clearTimeout(due?.timer)
    due = { at, timer: setTimeout(begin, ms) }
  }

  function begin(): void {
    due = undefined
    writing = writing.then(write).catch((cause: unknown) => {
      log('error', 'what is new of servers cannot be written', { error: explain(cause) })
      after(retryMs)
    })
  }

  async function write(): Promise<void> {
    if (over || !(await differs())) return
    const wait = budget.wait(performance.now())
    if (wait > 0) {
      log('warn', 'the reloads that servers may cost are used up; the next one waits', { seconds: Math.ceil(wait / 1000) })
      return after(wait)
    }
    budget.take(performance.now())
    const result = await reconciler.refresh()
    if (result.kind === 'applied' || result.kind === 'unchanged') return onWritten()
    log('error', 'what is new of servers could not be brought into nginx', { error: outcomeOf(result).error_message })
    after(retryMs)
  }

  /** Whether the files that nginx has say something else about the health of servers than they should. */
  async function differs(): Promise<boolean> {
    const wanted = config()
    const current = await currentGeneration(scope.paths)
    // Another config is on its way, and holds the marks when it comes.
    if (!wanted || !current || current.manifest.digest !== scope.ledger.state.good?.digest) return false
    const master = await scope.installation.findMaster()
    if (master === undefined || scope.ledger.state.stopped) return false
    const facts = await scope.factsOf(await binaryOf(master, scope.installation.binary))
    const target = {
      facts,
      marks: scope.marks.current,
      names: scope.names.current,
      absent_addresses: scope.addresses.absent,
      ...(scope.answers && { resolver: scope.answers.address }),
    }
    return canonicalJson(healthOf(wanted, target)) !== canonicalJson({ marks: {}, resolver: null, names: {}, ...current.manifest.health })
  }

  return {
    settle: (kind) => after(patienceMs[kind]),
    async [Symbol.asyncDispose]() {
      over = true
      clearTimeout(due?.timer)
      await writing
    },
  }
}
