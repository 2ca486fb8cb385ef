import type { AgentConfig } from '@nxmesh/model/agent-config'
import { allowedMarks, isAnswered, type Marks } from '@nxmesh/nginx/health-marks'
import { namesOf } from '@nxmesh/nginx/resolved-names'
import { currentGeneration } from '../generations.ts'
import { binaryOf } from '../nginx.ts'
import { explain, type Reconciler } from '../reconcile.ts'
import type { Scope } from '../scope.ts'
import { answeredServers } from './answered.ts'
import type { Answerer } from './answerer.ts'
import { counted, type Failure, newServer, type ServerState } from './count.ts'
import { markWriter } from './mark-writer.ts'
import { reportOf, type ServerReport, type StateChange } from './report.ts'
import { startRounds } from './rounds.ts'
import { type Target, targetsOf } from './targets.ts'

export interface HealthChecks extends AsyncDisposable {
  /** Every server that is probed, those out of rotation first. */
  servers(): ServerReport[]
}

interface Watched {
  target: Target
  state: ServerState
  stop: AbortController
}

const mostProbesAtOnce = 64
const followMs = 250

/** Probes the servers of the config that serves, and has nginx leave out those that fail. It needs no master. */
export function startHealthChecks(
  scope: Scope,
  parts: { reconciler: Reconciler; answerer: Answerer | undefined; onChange: (change: StateChange | undefined) => void },
): HealthChecks {
  const { ledger, log, marks } = scope
  const { onChange } = parts
  const rounds = startRounds(mostProbesAtOnce)
  const watched = new Map<string, Watched>()
  let config: AgentConfig | undefined
  let followed: string | undefined
  let answered: ReadonlySet<string> = new Set()
  let written: Marks = {}

  const writer = markWriter(scope, parts.reconciler, { config: () => config, onWritten: look })

  /** Takes up the config that serves now: servers that stay keep their state. */
  async function follow(): Promise<void> {
    const good = ledger.state.good
    if (!good || `${good.digest} ${good.generation}` === followed) return
    const found = await ledger.configOf(good.digest)
    const targets = new Map((found ? targetsOf(found) : []).map((target) => [keyOf(target.upstream.id, target.address), target]))
    config = found
    followed = `${good.digest} ${good.generation}`
    for (const [key, { stop }] of watched) {
      if (targets.has(key)) continue
      stop.abort()
      watched.delete(key)
    }
    for (const [key, target] of targets) watch(key, target)
    scope.names.follow(config ? namesOf(config, scope.installation.mode) : [], () => writer.settle('up'))
    scope.addresses.follow(config, () => writer.settle('up'))
    parts.answerer?.answerFrom(answeredServers(config, () => marks.current))
    remark()
    await look()
    if (config) writer.settle('down')
  }

  function watch(key: string, target: Target): void {
    const known = watched.get(key)
    if (known) {
      known.target = target
      return
    }
    const isDown = marks.current[target.upstream.id]?.includes(target.address) === true
    const entry: Watched = { target, state: newServer(isDown, Date.now()), stop: new AbortController() }
    watched.set(key, entry)
    rounds.begin(
      () => entry.target,
      entry.stop.signal,
      (failure) => take(entry, failure),
    )
  }

  function take(entry: Watched, failure: Failure): void {
    const { target, state: before } = entry
    const { check, upstream, address } = target
    entry.state = counted(before, failure, { ...check, interval: check.interval * 1000 }, Date.now())
    const { state, last_error } = entry.state
    if (state === before.state) return
    if (before.state === 'checking' && state === 'up') return onChange(undefined)
    const isDown = state === 'down'
    const words = isDown ? 'a server fails its health checks' : 'a server passes its health checks again'
    log(isDown ? 'warn' : 'info', words, { upstream: upstream.name, address, ...(isDown && { error: last_error }) })
    remark()
    writer.settle(isDown ? 'down' : 'up')
    onChange({
      kind: isDown ? 'down' : 'up',
      upstream_id: upstream.id,
      upstream_name: upstream.name,
      address,
      error: isDown ? last_error : '',
    })
  }

  /** Derives the marks from the states. */
  function remark(): void {
    const failing = Map.groupBy(
      [...watched.values()].filter(({ state }) => state.state === 'down'),
      ({ target }) => target.upstream.id,
    )
    const next: Record<string, string[]> = {}
    for (const upstream of config?.upstreams ?? []) {
      const allowed = allowedMarks(upstream, failing.get(upstream.id)?.map(({ target }) => target.address) ?? [])
      if (allowed.length > 0) next[upstream.id] = allowed
    }
    if (JSON.stringify(next) !== JSON.stringify(marks.current)) marks.change(next)
  }

  /** Looks at what nginx was given: which upstreams it asks for, and which marks stand in its files. */
  async function look(): Promise<void> {
    const master = await scope.installation.findMaster()
    const { binary } = scope.installation
    const facts = await scope.factsOf(master === undefined ? binary : await binaryOf(master, binary))
    const target = { facts, ...(scope.answers && { resolver: scope.answers.address }) }
    answered = new Set(config?.upstreams.filter((upstream) => isAnswered(upstream, target)).map((upstream) => upstream.id))
    written = (await currentGeneration(scope.paths))?.manifest.health?.marks ?? {}
    onChange(undefined)
  }

  function isInRotation({ upstream, address }: Target): boolean {
    const effective = answered.has(upstream.id) ? marks.current : written
    return effective[upstream.id]?.includes(address) !== true
  }

  let following = Promise.resolve()
  const timer = setInterval(() => {
    following = following
      .then(follow)
      .catch((cause: unknown) => log('error', 'health checks cannot follow the config', { error: explain(cause) }))
  }, followMs)

  return {
    servers: () =>
      [...watched.values()]
        .map(({ target, state }) => reportOf(target, state, isInRotation(target)))
        .sort((a, b) => Number(a.in_rotation) - Number(b.in_rotation)),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await following
      await writer[Symbol.asyncDispose]()
      await rounds[Symbol.asyncDispose]()
      await marks.flush()
    },
  }
}

function keyOf(upstreamId: string, address: string): string {
  return `${upstreamId} ${address}`
}
