import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ModuleName, moduleFiles, type NginxFacts, type Probe, parseVersion, probes, probeText } from '@nxmesh/nginx/facts'
import { type DataPaths, replaceFile } from './durable.ts'
import { buildText, testConfig } from './nginx.ts'

/** The files of the modules that a configuration loads, as nginx finds them. */
type Loads = (facts: NginxFacts) => Promise<readonly string[]>

/**
 * Learns what a binary can do, anew where that may have changed: an upgrade in place is another file. `loads` says which modules a configuration of the host
 * loads, and those are all that can be used there; without it, modules that lie where the binary looks for them are tried.
 */
export function binaryFacts(paths: DataPaths, loads?: Loads): (binary: string) => Promise<NginxFacts> {
  const known = new Map<string, Promise<{ facts: NginxFacts; modules: string }>>()
  const modulesOf = async (facts: NginxFacts) => JSON.stringify([await changedAt(facts.modules_path), await loads?.(facts)])
  return async (binary) => {
    const found = await stat(binary).catch((cause: NodeJS.ErrnoException) => {
      throw new Error(`nginx cannot be run: ${cause.code === 'ENOENT' ? `there is no file ${binary}` : cause.message}`, { cause })
    })
    const key = `${found.dev}:${found.ino}:${found.mtimeMs}`
    const last = await known.get(key)?.catch(() => undefined)
    if (last && last.modules === (await modulesOf(last.facts))) return last.facts
    const learning = learnOrRemember(binary, key, paths, loads).then(async (facts) => ({
      facts,
      modules: await modulesOf(facts),
    }))
    known.set(key, learning)
    learning.catch(() => known.delete(key))
    return (await learning).facts
  }
}

/** When a file was last put into a folder or taken out of it. */
async function changedAt(folder: string): Promise<number> {
  return stat(folder).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  )
}

/** Trying a binary out needs a little room on the disk. Where there is none, what an earlier start learned of the same file still holds. */
async function learnOrRemember(binary: string, key: string, { data, scratch }: DataPaths, loads: Loads | undefined): Promise<NginxFacts> {
  const memory = join(data, 'nginx-facts.json')
  try {
    const facts = await learn(binary, scratch, loads)
    await replaceFile(memory, JSON.stringify({ key, facts })).catch(() => undefined)
    return facts
  } catch (cause) {
    const text = await readFile(memory, 'utf8').catch(() => '{}')
    const kept = JSON.parse(text) as { key?: string; facts?: NginxFacts }
    // An earlier release knew nothing of modules.
    if (kept.key === key && kept.facts) return { ...kept.facts, modules: kept.facts.modules ?? {} }
    throw cause
  }
}

async function learn(binary: string, scratch: string, loads: Loads | undefined): Promise<NginxFacts> {
  const facts = parseVersion(await buildText(binary))
  if (!facts) throw new Error(`${binary} is not an nginx: it does not answer -V as nginx does`)
  const loaded = await loads?.(facts)
  await mkdir(scratch, { recursive: true })
  const directory = await mkdtemp(join(scratch, 'probe-'))
  try {
    await mkdir(join(directory, 'temp'))
    const supports = { ...facts.supports }
    const modules: Partial<Record<ModuleName, readonly string[]>> = {}
    const passes = async (some: readonly Probe[], files: readonly string[]) => {
      const conf = join(directory, 'probe.conf')
      await writeFile(conf, probeText(some, files))
      return (await testConfig({ binary, prefix: directory, conf, errorLog: supports.error_log_option })).ok
    }
    const sets = loaded ? [] : await setsOf(facts)
    const known = await allAtOnce()
    for (const probe of probes) {
      const { name, module } = probe
      supports[name] = known.has(probe) || (await passes([probe], loaded ?? []))
      for (const set of supports[name] ? [] : sets.filter((each) => each.module === module)) {
        supports[name] = await passes([probe], set.files)
        if (supports[name]) modules[set.module] = set.files
        // It is of another build.
        else if (modules[set.module] === undefined) sets.splice(sets.indexOf(set), 1)
        if (supports[name]) break
      }
    }

    // What is likely to be there is there as a rule, and takes one run: with the modules that lie there, or else without.
    async function allAtOnce(): Promise<ReadonlySet<Probe>> {
      const first = Object.fromEntries(sets.toReversed().map(({ module, files }) => [module, files]))
      for (const some of [first, {}]) {
        const likely = probes.filter(({ name, module }) => facts!.supports[name] || (module !== undefined && Object.hasOwn(some, module)))
        if (!(await passes(likely, loaded ?? Object.values(some).flat()))) continue
        Object.assign(modules, some)
        return new Set(likely)
      }
      return new Set()
    }
    return { ...facts, supports, modules }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** The sets of files of modules that are all there, those to be tried first before others of the module. */
async function setsOf({ modules_path }: NginxFacts): Promise<{ module: ModuleName; files: string[] }[]> {
  const present = new Set(await readdir(modules_path).catch(() => []))
  return (Object.keys(moduleFiles) as ModuleName[]).flatMap((module) =>
    moduleFiles[module]
      .filter((names) => names.every((name) => present.has(name)))
      .map((names) => ({ module, files: names.map((name) => join(modules_path, name)) })),
  )
}
