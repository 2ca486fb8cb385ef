import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { digestOf } from '@nxmesh/model/digest'
import { bringUp, startAndProve, type Trouble } from './apply.ts'
import type { DataPaths } from './durable.ts'
import { makeDirectory, replaceLink } from './durable.ts'
import {
  currentGeneration,
  freeName,
  type Generation,
  listGenerations,
  pruneGenerations,
  readGeneration,
  removeGeneration,
  syncGeneration,
  writeGeneration,
} from './generations.ts'
import { binaryOf } from './nginx.ts'
import { generationsOnTheWay } from './on-the-way.ts'
import { causeOf } from './plan.ts'
import { renderFor } from './rendering.ts'
import type { Scope } from './scope.ts'
import { groupFor } from './worker-group.ts'

/** What runs until the master has sent anything. */
export const emptyConfig: AgentConfig = {
  virtual_hosts: [],
  upstreams: [],
  certificates: {},
  settings: { nginx_directives: {}, env_vars: {} },
}

const startTimeoutMs = 20_000

/** Makes the directories. Workers run as another user and must pass through to `runtime`; everything else is closed to them. */
export async function prepareDirectories(paths: DataPaths): Promise<void> {
  await makeDirectory(paths.data, 0o711)
  await makeDirectory(paths.runtime, 0o711)
  for (const path of [paths.generations, paths.configs, paths.identity, paths.scratch, paths.telemetry]) await makeDirectory(path, 0o700)
}

/**
 * Undoes what a crash left behind: half-written generations go, and `current` leads to the last config that was proved.
 * A config that was being applied is applied anew from the ledger.
 */
export async function recover(scope: Scope): Promise<void> {
  const { ledger, paths } = scope
  for (const directory of [paths.data, paths.configs, paths.identity, paths.telemetry]) {
    for (const name of await readdir(directory)) if (name.endsWith('.tmp')) await rm(join(directory, name), { force: true })
  }
  const proved = ledger.state.good && (await readGeneration(paths, ledger.state.good.generation))
  const good = proved ?? (await rebuild(scope))
  const current = await currentGeneration(paths)
  if (current?.name !== good.name) await replaceLink(paths.current, good.directory)
  await pruneGenerations(paths, new Set([good.name]))
}

/** Writes the generation of the last good config anew, or that of an empty config: nginx must always have something to start from. */
async function rebuild(scope: Scope): Promise<Generation> {
  const { ledger } = scope
  const good = ledger.state.good
  const config = good ? await ledger.configOf(good.digest) : undefined
  const fact = good && config ? good : { version: 0, digest: digestOf(emptyConfig) }
  const generation = await renderGeneration(scope, fact, config ?? emptyConfig)
  await ledger.change({ good: { version: fact.version, digest: fact.digest, generation: generation.name } })
  return generation
}

async function renderGeneration(
  scope: Scope,
  { version, digest }: { version: number; digest: string },
  config: AgentConfig,
): Promise<Generation> {
  const master = await scope.installation.findMaster()
  const { binary } = scope.installation
  const facts = await scope.factsOf(master === undefined ? binary : await binaryOf(master, binary))
  const name = await freeName(scope.paths, { version, digest })
  const { files, listens, health } = renderFor(scope, { config, digest }, facts, join(scope.paths.generations, name))
  const group = await groupFor(scope, files)
  const content = { version, digest, files, listens, health, nginx_version: facts.version, group }
  const generation = await writeGeneration(scope.paths, name, content)
  await syncGeneration(scope.paths, generation)
  return generation
}

export type EnsureResult = { kind: 'serving' } | { kind: 'trouble'; message: string }

/** Has nginx run and serve the last good config: adopts one that runs, starts one that does not. */
export async function ensureServing(scope: Scope): Promise<EnsureResult> {
  const { installation, ledger, paths } = scope
  const good = ledger.state.good && (await readGeneration(paths, ledger.state.good.generation))
  if (!good) return { kind: 'trouble', message: 'the last good config is missing from the data directory' }
  const obstacle = await installation.obstacle()
  if (obstacle !== undefined) return { kind: 'trouble', message: obstacle }
  const master = await installation.findMaster()
  if (master === undefined) return startSomething(scope, good)
  if ((await scope.server.serving())?.digest === good.manifest.digest) return { kind: 'serving' }
  scope.log('info', 'nginx runs without our last good config; it is loaded now', { pid: master })
  const via = await generationsOnTheWay(scope, { generation: good, before: undefined }, master)
  const trouble = await bringUp(scope, { generation: good, via, master, timeoutMs: startTimeoutMs })
  return trouble ? { kind: 'trouble', message: trouble.message } : { kind: 'serving' }
}

/** Starts nginx with the last good config; when that config itself is the trouble, with the newest one that does start. */
async function startSomething(scope: Scope, good: Generation): Promise<EnsureResult> {
  const { ledger, paths } = scope
  const first = await tryStart(scope, good)
  if (!first) return { kind: 'serving' }
  const result: EnsureResult = { kind: 'trouble', message: first.message }
  if (causeOf(first.output, paths.data) === 'host') return result
  scope.log('error', 'nginx does not start with the last good config', { error: first.message, generation: good.name })
  for (const candidate of candidates(scope, good)) {
    const generation = await candidate()
    if (!generation || generation.name === good.name) continue
    const trouble = await tryStart(scope, generation)
    if (trouble) {
      scope.log('error', 'nginx does not start with an earlier config either', { error: trouble.message, generation: generation.name })
      continue
    }
    const { version, digest } = generation.manifest
    await ledger.change({ good: { version, digest, generation: generation.name } })
    scope.log('warn', 'nginx was started with another config', { generation: generation.name })
    return { kind: 'serving' }
  }
  await replaceLink(paths.current, good.directory)
  return result
}

/** The same config rendered for the binary that is installed now, then earlier generations, then an empty one. */
function* candidates(scope: Scope, good: Generation): Generator<() => Promise<Generation | undefined>> {
  const { ledger, paths } = scope
  yield async () => {
    const config = await ledger.configOf(good.manifest.digest)
    return config && renderGeneration(scope, good.manifest, config)
  }
  for (let index = 0; index < 3; index++) yield async () => (await listGenerations(paths)).filter((each) => each.name !== good.name)[index]
  yield () => renderGeneration(scope, { version: 0, digest: digestOf(emptyConfig) }, emptyConfig)
}

async function tryStart(scope: Scope, generation: Generation): Promise<Trouble | undefined> {
  const { paths } = scope
  if ((await currentGeneration(paths))?.name !== generation.name) await replaceLink(paths.current, generation.directory)
  const trouble = await startAndProve(scope, { generation, timeoutMs: startTimeoutMs })
  if (trouble && generation.manifest.version === 0) await removeGeneration(generation)
  return trouble
}
