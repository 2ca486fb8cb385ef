import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Finding } from '@nxmesh/model/agent'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { explainOutput } from '@nxmesh/nginx/explain-output'
import type { NginxFacts } from '@nxmesh/nginx/facts'
import { hashesOf } from '@nxmesh/nginx/render/file-hashes'
import type { Rendered } from '@nxmesh/nginx/render/target'
import { namesOf } from '@nxmesh/nginx/resolved-names'
import { certificateFindings } from './certificate-findings.ts'
import { moveLink, replaceLink, syncDirectory } from './durable.ts'
import { watchErrorLog } from './error-log.ts'
import {
  changedFiles,
  currentGeneration,
  freeName,
  type Generation,
  pruneGenerations,
  readGeneration,
  removeGeneration,
  sameFiles,
  syncGeneration,
  writeGeneration,
} from './generations.ts'
import { answeredServers } from './health-checks/answered.ts'
import type { Fact } from './ledger.ts'
import { limitOfTheTest, machineFindings } from './machine-findings.ts'
import { binaryOf, reloadNginx, stopNginx, workersOf } from './nginx.ts'
import { generationsOnTheWay } from './on-the-way.ts'
import { endOrphans } from './orphans.ts'
import { causeOf, firstTrouble, portFindings, proofTimeout } from './plan.ts'
import { type Listen, socketName, takenPorts } from './ports.ts'
import { prove } from './proof.ts'
import { renderFor } from './rendering.ts'
import type { Scope } from './scope.ts'
import { groupFor } from './worker-group.ts'

export type ApplyResult =
  | { kind: 'unchanged'; findings: Finding[] }
  | { kind: 'applied'; findings: Finding[] }
  /** Nothing had changed yet. */
  | { kind: 'failed'; message: string; findings: Finding[]; cause: 'config' | 'host' }
  /** It was tried, and the last good config serves again. */
  | { kind: 'rolled_back'; message: string; findings: Finding[]; cause: 'config' | 'host' }
  /** It was tried, and not even the last good config could be brought to serve. */
  | { kind: 'broken'; message: string; findings: Finding[]; cause: 'config' | 'host' }

export interface ApplyRequest extends Fact {
  config: AgentConfig
  /** Reload even when nothing differs. */
  force: boolean
  /** Stop nginx and start the installed binary instead of a reload; `force` cuts connections. */
  restart?: { force: boolean } | undefined
  onStage?: (stage: 'validating' | 'applying') => void
  timeoutMs?: number
  signal?: AbortSignal | undefined
}

/** Makes nginx serve a config and proves it, or leaves everything as it was. A kill at any instruction leaves the old config or the new. */
export async function apply(scope: Scope, request: ApplyRequest): Promise<ApplyResult> {
  const { installation, paths } = scope
  request.onStage?.('validating')
  const obstacle = await installation.obstacle()
  if (obstacle !== undefined) return failed(obstacle, 'host', [{ severity: 'error', message: obstacle }])

  await Promise.all([scope.names.learn(namesOf(request.config, installation.mode)), scope.addresses.look(request.config)])
  const master = await installation.findMaster()
  // The binary that will read the config decides what may be in it: the running one on a reload, the installed one on a start.
  const binary = master === undefined || request.restart ? installation.binary : await binaryOf(master, installation.binary)
  const facts = await scope.factsOf(binary)
  const before = await currentGeneration(paths)
  const same = before?.manifest.digest === request.digest ? await renderedAs(scope, request, facts, before) : undefined
  if (same && !request.force && master !== undefined && (await scope.server.serving())?.digest === request.digest) {
    await remember(scope, request, before!)
    return { kind: 'unchanged', findings: [...same.findings, ...(await machineFindings(scope, request.config, master))] }
  }

  const unusable = certificateFindings(request.config)
  if (unusable.length > 0) return failed([...new Set(unusable.map(({ message }) => message))].join('; '), 'config', unusable)
  const staged = await stage(scope, request, facts, same && before && (await changedFiles(before)).length === 0 ? before : undefined)
  const { generation, rendered } = staged
  await scope.at('written')
  const discard = () => (generation.name === before?.name ? Promise.resolve() : removeGeneration(generation))

  // Before the ports are looked at: they may be held by workers whose master was killed.
  if (master === undefined) await endOrphans(paths.socket)
  const taken = await takenPorts(newListens(rendered.listens, master === undefined ? undefined : before), {
    master,
    ipv6: scope.ipv6,
    restarts: request.restart !== undefined,
    ...(installation.mode === 'include' && { before: before?.manifest.listens ?? [] }),
  })
  if (taken.length > 0) {
    await discard()
    const findings = [...portFindings(taken, request.config), ...rendered.findings]
    return failed(taken.map((port) => port.reason).join('; '), 'host', findings)
  }
  const test = await testAndSync(scope, generation, binary, facts, request.signal).catch(async (cause: unknown) => {
    await discard()
    throw cause
  })
  const said = explainOutput(test.output, rendered).filter(({ message }) => !limitOfTheTest.test(message))
  const here = await machineFindings(scope, request.config, request.restart ? undefined : master)
  const tested = distinct([...said, ...rendered.findings, ...here])
  if (!test.ok) {
    await discard()
    return failed(wordsOf(tested, test.output), causeOf(test.output, paths.data), tested)
  }
  const way = { generation, config: request.config, facts, before }
  const via = request.restart || master === undefined ? [] : await generationsOnTheWay(scope, way, master)
  for (const each of via) {
    const tried = await testAndSync(scope, each, binary, facts, request.signal)
    if (tried.ok) continue
    await Promise.all([...via.map(removeGeneration), discard()])
    const message = `nginx cannot come to listen so: ${firstTrouble(tried.output)}`
    return failed(message, causeOf(tried.output, paths.data), [{ severity: 'error', message }, ...tested])
  }
  await scope.at('tested')

  request.onStage?.('applying')
  scope.answers?.expect(answeredServers(request.config, () => scope.marks.current))
  const timeoutMs = request.timeoutMs ?? proofTimeout(rendered.files)
  if (request.restart && master !== undefined) await stopNginx(master, { graceful: !request.restart.force, timeoutMs: 10_000 })
  const trouble = await bringUp(scope, { generation, via, master: request.restart ? undefined : master, timeoutMs, signal: request.signal })
  if (trouble !== undefined) {
    const findings = distinct([...explainOutput(trouble.output, rendered), ...tested])
    const result = { message: trouble.message, cause: causeOf(trouble.output, paths.data), findings }
    const restored = await restore(scope, before, { refused: trouble.refused === true, failed: generation })
    if (restored !== undefined)
      return { ...result, kind: 'broken', message: `${result.message}; and the last good config does not serve: ${restored}` }
    await discard()
    return { ...result, kind: 'rolled_back' }
  }
  await scope.at('proved')
  await remember(scope, request, generation)
  await scope.at('marked')
  await pruneGenerations(paths, new Set([generation.name]))
  await scope.at('pruned')
  return { kind: 'applied', findings: tested }
}

// What a running nginx was given before it holds already; asking the kernel about each socket is dear where there are many.
function newListens(listens: readonly Listen[], before: Generation | undefined): Listen[] {
  const held = new Set(before?.manifest.listens.map(socketName))
  return listens.filter((listen) => !held.has(socketName(listen)))
}

// The disk and nginx work at the same time; nothing depends on the generation before both are done.
async function testAndSync(scope: Scope, generation: Generation, binary: string, facts: NginxFacts, signal: AbortSignal | undefined) {
  const [test] = await Promise.all([scope.installation.test(generation, binary, facts, signal), syncGeneration(scope.paths, generation)])
  return test
}

// The workers serve it, whether or not the disk can take the note; the reconciler goes on trying to write it.
async function remember({ ledger, log }: Scope, { version, digest }: Fact, generation: Generation): Promise<void> {
  await ledger
    .change({ good: { version, digest, generation: generation.name }, ...(ledger.state.rejected?.digest === digest && { rejected: null }) })
    .catch((cause: Error) => log('error', 'the ledger cannot be written', { error: cause.message }))
}

/** What a generation on disk would hold if it were rendered now; nothing when that differs, as after an upgrade of nginx. */
async function renderedAs(scope: Scope, request: ApplyRequest, facts: NginxFacts, generation: Generation): Promise<Rendered | undefined> {
  const rendered = renderFor(scope, request, facts, generation.directory)
  return sameFiles(hashesOf(rendered.files), generation.manifest.files) ? rendered : undefined
}

async function stage(
  scope: Scope,
  request: ApplyRequest,
  facts: NginxFacts,
  reusable: Generation | undefined,
): Promise<{ generation: Generation; rendered: Rendered }> {
  const { paths } = scope
  if (reusable) return { generation: reusable, rendered: renderFor(scope, request, facts, reusable.directory) }
  const { version, digest } = request
  const name = await freeName(paths, { version, digest })
  const rendered = renderFor(scope, request, facts, join(paths.generations, name))
  const { files, listens, health } = rendered
  const group = await groupFor(scope, files)
  const content = { version, digest, files, listens, health, nginx_version: facts.version, group }
  const generation = await writeGeneration(paths, name, content, () => scope.at('half-written'))
  return { generation, rendered }
}

export interface Trouble {
  message: string
  output: string
  /** nginx read the config and kept the one it had. */
  refused?: boolean
}

interface BringUp {
  generation: Generation
  /** What nginx has to serve before, for a moment each. */
  via: readonly Generation[]
  master: number | undefined
  timeoutMs: number
  signal?: AbortSignal | undefined
}

/** Switches the one link to a generation and has nginx serve it; says what went wrong, if anything. */
export async function bringUp(scope: Scope, step: BringUp): Promise<Trouble | undefined> {
  const { signal, via } = step
  try {
    for (const generation of [...via, step.generation]) {
      await scope.at('switching')
      const trouble = await switchAndProve(scope, { ...step, generation })
      if (trouble !== undefined) return trouble
    }
    return undefined
  } catch (cause) {
    if (signal?.aborted) throw cause
    return { message: (cause as Error).message, output: '' }
  }
}

async function switchAndProve(scope: Scope, { generation, master, timeoutMs, signal }: Omit<BringUp, 'via'>): Promise<Trouble | undefined> {
  const { installation, paths } = scope
  if (master === undefined) {
    await replaceLink(paths.current, generation.directory)
    await scope.at('switched')
    return startAndProve(scope, { generation, timeoutMs, signal })
  }
  const oldWorkers = new Set((await workersOf(master)).map((worker) => worker.pid))
  const log = await watchErrorLog(await installation.errorLog(master), master)
  await moveLink(paths.current, generation.directory)
  await scope.at('switched')
  reloadNginx(master)
  await scope.at('reloaded')
  // A power cut before this is on the disk brings back the old link, which serves too; only what is marked good must stay.
  const synced = syncDirectory(dirname(paths.current))
  const proving = prove({
    server: scope.server,
    digest: generation.manifest.digest,
    master,
    binaryName: installation.binaryName,
    oldWorkers,
    log,
    timeoutMs,
    signal,
  })
  const [proof] = await Promise.all([proving, synced])
  return troubleOf(proof, timeoutMs)
}

/** Starts nginx from `current` and waits until it serves that generation. */
export async function startAndProve(
  scope: Scope,
  step: { generation: Generation; timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<Trouble | undefined> {
  const { installation } = scope
  const { ok, output } = await installation.start()
  if (!ok) return { message: firstTrouble(output), output }
  await scope.at('reloaded')
  const master = await newMaster(scope)
  if (master === undefined) return { message: 'nginx started and ended at once', output }
  const proof = await prove({
    server: scope.server,
    digest: step.generation.manifest.digest,
    master,
    binaryName: installation.binaryName,
    oldWorkers: new Set(),
    log: await watchErrorLog(await installation.errorLog(master), master),
    timeoutMs: step.timeoutMs,
    signal: step.signal,
  })
  return troubleOf(proof, step.timeoutMs)
}

// The daemon writes its pid file a moment after the command that started it has ended.
async function newMaster(scope: Scope): Promise<number | undefined> {
  const deadline = performance.now() + 5000
  while (performance.now() < deadline) {
    const master = await scope.installation.findMaster()
    if (master !== undefined) return master
    await delay(5)
  }
  return undefined
}

function troubleOf(proof: Awaited<ReturnType<typeof prove>>, timeoutMs: number): Trouble | undefined {
  switch (proof.kind) {
    case 'proved':
      return undefined
    case 'refused':
      return { message: firstTrouble(proof.lines.join('\n')), output: proof.lines.join('\n'), refused: true }
    case 'gone':
      return {
        message: `nginx ended while it loaded the config${proof.lines.length > 0 ? `: ${firstTrouble(proof.lines.join('\n'))}` : ''}`,
        output: proof.lines.join('\n'),
      }
    case 'timeout':
      return {
        message: `the workers did not serve the config within ${Math.round(timeoutMs / 1000)} s${proof.lines.length > 0 ? `: ${firstTrouble(proof.lines.join('\n'))}` : ''}`,
        output: proof.lines.join('\n'),
      }
    default:
      return proof satisfies never
  }
}

/** Goes back to what served before. Returns what prevented it, if anything. */
async function restore(
  scope: Scope,
  before: Generation | undefined,
  { refused, failed }: { refused: boolean; failed: Generation },
): Promise<string | undefined> {
  const { installation, ledger, paths } = scope
  const good = ledger.state.good
  const target = (good && (await readGeneration(paths, good.generation))) ?? before
  if (!target) return 'there is no earlier config'
  await scope.at('restoring')
  // A refused reload left the old workers as they were: another signal would only cost their connections.
  if (refused && (await scope.server.serving())?.digest === target.manifest.digest) {
    await replaceLink(paths.current, target.directory)
    await scope.at('restored')
    return undefined
  }
  const master = await installation.findMaster()
  const via = master === undefined ? [] : await generationsOnTheWay(scope, { generation: target, before: failed }, master)
  const trouble = await bringUp(scope, { generation: target, via, master, timeoutMs: 20_000 })
  await scope.at('restored')
  return trouble?.message
}

/** nginx's own words about what is wrong, without what it quotes from files that are not ours. */
function wordsOf(findings: readonly Finding[], output: string): string {
  return findings.find((each) => each.severity === 'error' && each.line !== undefined)?.message ?? firstTrouble(output)
}

function distinct(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((each) => [JSON.stringify([each.message, each.id, each.field, each.line]), each])).values()]
}

function failed(message: string, cause: 'config' | 'host', findings: Finding[]): ApplyResult {
  return { kind: 'failed', message, cause, findings }
}
