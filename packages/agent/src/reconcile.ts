import type { Finding } from '@nxmesh/model/agent'
import { type ApplyRequest, type ApplyResult, apply } from './apply.ts'
import type { ApplyStatus, DesiredConfig, Fact, StatusReport } from './ledger.ts'
import { backoff, planNext, type Trigger } from './plan.ts'
import type { Scope } from './scope.ts'
import { emptyConfig, ensureServing } from './serving.ts'

export interface Reconciler extends AsyncDisposable {
  /** Takes a config from the master; a newer one replaces those that still wait. */
  offer(update: DesiredConfig): void
  /** Says why a config that arrived cannot even be looked at. */
  refuse(update: Fact & { config_id: string }, message: string): void
  /** Loads the last good config again, with a restart where asked, and then tries again what was refused. */
  reapply(restart?: { force: boolean }): Promise<ApplyResult>
  /** Loads the last good config again if its files would be others now, as with other marks of health. */
  refresh(): Promise<ApplyResult>
  /** Runs something while no config is applied. */
  exclusive<T>(task: () => Promise<T>): Promise<T>
  /** Why nginx does not serve as it should, if so. */
  readonly trouble: string | undefined
  wake(): void
}

const tickMs = 1000

export function startReconciler(scope: Scope, report: (status: StatusReport) => void): Reconciler {
  const { ledger, installation, log } = scope
  const stopping = new AbortController()
  let offer: { update: DesiredConfig; at: number; attempt: number } | undefined
  let trouble: string | undefined
  let queue: Promise<unknown> = Promise.resolve()
  let wakeUp = () => {}
  let again = ledger.state.rejected?.cause === 'host' ? { at: 0, attempt: 0 } : undefined
  let serveAgain = { at: 0, attempt: 0 }
  let seenRunning = false

  function exclusive<T>(task: () => Promise<T>): Promise<T> {
    const next = queue.then(task)
    queue = next.catch(() => undefined)
    return next
  }

  function say(of: Fact & { config_id: string }, status: ApplyStatus, more: Partial<StatusReport> = {}): StatusReport {
    const { version, digest, config_id } = of
    const full = { version, digest, config_id, status, error_message: '', findings: [], duration_ms: 0, applied_at: 0, ...more }
    report(full)
    return full
  }

  function retryLater(): void {
    const attempt = (again?.attempt ?? -1) + 1
    again = { attempt, at: performance.now() + backoff(attempt, { firstMs: 1000, maxMs: 30_000, random: Math.random() }) }
  }

  /** Puts the newest offer on disk before anything acts on it. Returns whether there is something to act on. */
  async function accept(taken: NonNullable<typeof offer>): Promise<boolean> {
    const { update, attempt } = taken
    try {
      await scope.at('accepting')
      const acceptance = await ledger.accept(update)
      if (offer === taken) offer = undefined
      await scope.at('accepted')
      if (acceptance.kind !== 'older') return true
      const message = `version ${update.version} is older than version ${acceptance.than}, which this agent already has`
      say(update, 'failed', { error_message: message, findings: [{ severity: 'error', message }] })
      return false
    } catch (cause) {
      const message = explain(cause)
      log('error', 'a config cannot be stored', { version: update.version, error: message })
      if (attempt === 0) say(update, 'failed', { error_message: message, findings: [{ severity: 'error', message }] })
      const wait = backoff(attempt, { firstMs: 500, maxMs: 15_000, random: Math.random() })
      if (offer === taken) offer = { update, attempt: attempt + 1, at: performance.now() + wait }
      return false
    }
  }

  async function applyDesired(trigger: Trigger): Promise<void> {
    const { desired } = ledger.state
    if (!desired) return
    const config = await ledger.configOf(desired.digest)
    if (!config) throw new Error(`the config ${desired.digest} is missing from the data directory`)
    const started = performance.now()
    // A retry of our own is nobody's news until it ends otherwise than before.
    const onStage = (stage: 'validating' | 'applying') => trigger !== 'retry' && say(desired, stage)
    const result = await run({ ...desired, config, force: false, onStage })
    await finish(desired, trigger, result, { duration_ms: Math.round(performance.now() - started), applied_at: Date.now() })
  }

  async function run(request: ApplyRequest): Promise<ApplyResult> {
    try {
      return await apply(scope, { ...request, signal: stopping.signal })
    } catch (cause) {
      if (stopping.signal.aborted) throw cause
      const message = explain(cause)
      log('error', 'a config cannot be applied', { version: request.version, error: message })
      return { kind: 'failed', message, findings: [{ severity: 'error', message }], cause: 'host' }
    }
  }

  async function finish(
    desired: Fact & { config_id: string },
    trigger: Trigger,
    result: ApplyResult,
    timing: { duration_ms: number; applied_at: number },
  ) {
    const { version, digest } = desired
    const { status, error_message, cause } = outcomeOf(result)
    log(status === 'success' ? 'info' : 'error', `config ${status.replace('_', ' ')}`, {
      version,
      ...(error_message && { error: error_message }),
    })
    const final: StatusReport = { ...desired, status, error_message, findings: result.findings, ...timing }
    if (status === 'success') {
      again = undefined
      trouble = undefined
    } else if (cause === 'host') retryLater()
    const known = ledger.state.report
    await ledger
      .change({ report: final, rejected: status === 'success' ? null : { version, digest, cause: cause ?? 'config' } })
      .catch((error: unknown) => log('error', 'the ledger cannot be written', { error: explain(error) }))
    // The master waits for the end of what it was told the beginning of.
    if (trigger !== 'retry' || !isSame(known, final)) report(final)
  }

  // What had to be left out may be there now.
  async function tellAnew(digest: string, findings: Finding[]): Promise<void> {
    const known = ledger.state.report
    if (known?.digest !== digest || known.status !== 'success' || JSON.stringify(known.findings) === JSON.stringify(findings)) return
    const told = { ...known, findings }
    await ledger.change({ report: told }).catch((error: unknown) => log('error', 'the ledger cannot be written', { error: explain(error) }))
    report(told)
  }

  /** Sees that nginx runs. A config of the host is started only if the host has not run it before: afterwards its service manager is in charge. */
  async function superviseNginx(): Promise<void> {
    if (ledger.state.stopped) return
    const master = await installation.findMaster()
    if (master !== undefined) {
      seenRunning = true
      if (trouble === undefined && serveAgain.attempt > 0 && performance.now() > serveAgain.at + 60_000) serveAgain.attempt = 0
      if (trouble === undefined) return
    } else if (!installation.supervised && seenRunning) {
      trouble = 'nginx is not running, and the service manager of this machine is in charge of it'
      return
    }
    if (performance.now() < serveAgain.at) return
    if (master === undefined && seenRunning) log('warn', 'nginx has ended; it is started again')
    const { attempt } = serveAgain
    serveAgain = { attempt: attempt + 1, at: performance.now() + backoff(attempt, { firstMs: 500, maxMs: 30_000, random: Math.random() }) }
    const result = await ensureServing(scope).catch((cause: unknown) => ({ kind: 'trouble' as const, message: explain(cause) }))
    if (result.kind === 'trouble' && result.message !== trouble)
      log('error', 'nginx does not serve the last good config', { error: result.message })
    trouble = result.kind === 'trouble' ? result.message : undefined
  }

  async function step(): Promise<void> {
    if (ledger.unsaved) await ledger.flush().catch(() => undefined)
    const taken = offer && performance.now() >= offer.at ? offer : undefined
    if (taken && !(await accept(taken))) return
    await superviseNginx()
    const plan = planNext(ledger.state, triggerOf(taken !== undefined))
    switch (plan.kind) {
      case 'apply':
        return applyDesired(triggerOf(taken !== undefined))
      case 'wait':
        if (taken) say(taken.update, 'pending', { findings: [{ severity: 'warning', message: plan.reason }] })
        return
      case 'nothing':
        if (taken) say(taken.update, 'success', lastSuccess(ledger.state.report, taken.update))
        return
      default:
        return plan satisfies never
    }
  }

  function triggerOf(isOffer: boolean): Trigger {
    if (isOffer) return 'offer'
    return again && performance.now() >= again.at ? 'retry' : 'tick'
  }

  const loop = (async () => {
    while (!stopping.signal.aborted) {
      const woken = Promise.withResolvers<void>()
      wakeUp = woken.resolve
      await exclusive(step).catch((cause: unknown) => {
        if (!stopping.signal.aborted) log('error', 'the reconciler failed and goes on', { error: explain(cause) })
      })
      const timer = setTimeout(wakeUp, tickMs)
      await woken.promise
      clearTimeout(timer)
    }
  })()

  return {
    get trouble() {
      return trouble
    },
    exclusive,
    wake: () => wakeUp(),
    offer(update) {
      offer = { update, at: 0, attempt: 0 }
      say(update, 'pending')
      wakeUp()
    },
    refuse: (update, message) => void say(update, 'failed', { error_message: message, findings: [{ severity: 'error', message }] }),
    refresh: () =>
      exclusive(async () => {
        const { good, stopped } = ledger.state
        const config = good && (await ledger.configOf(good.digest))
        if (!config || stopped) return { kind: 'unchanged', findings: [] }
        const result = await run({ version: good.version, digest: good.digest, config, force: false })
        if (result.kind === 'applied') await tellAnew(good.digest, result.findings)
        return result
      }),
    async reapply(restart) {
      const result = await exclusive(async () => {
        await ledger.change({ stopped: false })
        const good = ledger.state.good ?? { version: 0, digest: '' }
        const config = (await ledger.configOf(good.digest)) ?? emptyConfig
        const outcome = await run({ version: good.version, digest: good.digest, config, force: true, restart })
        if (outcome.kind === 'applied') {
          trouble = undefined
          seenRunning = true
          await tellAnew(good.digest, outcome.findings)
        }
        return outcome
      })
      const { rejected, desired } = ledger.state
      if (desired && rejected?.digest === desired.digest) {
        await exclusive(() => ledger.change({ rejected: null }))
        wakeUp()
      }
      return result
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      wakeUp()
      await loop
      await queue
    },
  }
}

export function outcomeOf(result: ApplyResult): { status: ApplyStatus; error_message: string; cause?: 'config' | 'host' } {
  switch (result.kind) {
    case 'unchanged':
    case 'applied':
      return { status: 'success', error_message: '' }
    case 'failed':
      return { status: 'failed', error_message: result.message, cause: result.cause }
    case 'rolled_back':
      return { status: 'rolled_back', error_message: result.message, cause: result.cause }
    case 'broken':
      return { status: 'failed', error_message: result.message, cause: 'host' }
    default:
      return result satisfies never
  }
}

function isSame(a: StatusReport | null, b: StatusReport): boolean {
  return a !== null && a.version === b.version && a.digest === b.digest && a.status === b.status && a.error_message === b.error_message
}

function lastSuccess(report: StatusReport | null, { digest }: Fact): Partial<StatusReport> {
  const fits = report?.digest === digest && report.status === 'success'
  const findings: Finding[] = fits ? report.findings : []
  return { findings, applied_at: fits ? report.applied_at : Date.now() }
}

/** An error of the system in words; the disk is what fails most. */
export function explain(cause: unknown): string {
  const { code, message, path } = cause as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') return `No space left on device for ${path ?? 'the data directory of the agent'}`
  return message ?? String(cause)
}
