import { mkdir, open, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { HealthInFiles } from '@nxmesh/nginx/health-marks'
import { hashesOf, hashOf } from '@nxmesh/nginx/render/file-hashes'
import { generationName } from '@nxmesh/nginx/render/target'
import { type DataPaths, makeDirectory, syncDirectory, syncFile } from './durable.ts'
import type { Listen } from './ports.ts'
import { isForWorkers, openToGroup } from './worker-group.ts'

export interface GenerationFile {
  path: string
  text: string
  mode: number
}

/** Written last: a directory without it was not finished. */
export interface Manifest {
  version: number
  digest: string
  /** SHA-256 of each file's bytes, by path. */
  files: Record<string, string>
  listens: Listen[]
  nginx_version: string
  health?: HealthInFiles
  /** Served for a moment on the way to another: nothing to go back to. */
  on_the_way?: true
}

export interface Generation {
  name: string
  directory: string
  manifest: Manifest
}

const manifestName = 'manifest.json'

/** A name that no finished generation has yet. */
export async function freeName(paths: DataPaths, { version, digest }: { version: number; digest: string }): Promise<string> {
  const stem = generationName({ version, digest })
  for (let attempt = 0; ; attempt++) {
    const name = attempt === 0 ? stem : `${stem}.${attempt}`
    if (!(await readGeneration(paths, name))) return name
  }
}

/** Writes a generation under a free name, not yet synced to the disk; nothing of it is left when that fails. */
export async function writeGeneration(
  paths: DataPaths,
  name: string,
  content: Omit<Manifest, 'files'> & { files: GenerationFile[]; group: number | undefined },
  halfway: () => void | Promise<void> = () => {},
): Promise<Generation> {
  const { files, group, ...facts } = content
  const manifest: Manifest = { ...facts, files: hashesOf(files) }
  const directory = join(paths.generations, name)
  await rm(directory, { recursive: true, force: true })
  try {
    await writeFiles(directory, files, halfway)
    if (group !== undefined) await openFiles(paths, directory, files, group)
    await writeFile(join(directory, manifestName), JSON.stringify(manifest), { mode: 0o600, flag: 'wx' })
  } catch (cause) {
    await rm(directory, { recursive: true, force: true })
    throw cause
  }
  return { name, directory, manifest }
}

async function writeFiles(directory: string, files: GenerationFile[], halfway: () => void | Promise<void>): Promise<void> {
  await makeDirectory(directory, 0o700)
  const folders = new Set<string>()
  for (const [index, file] of files.entries()) {
    const path = join(directory, file.path)
    const folder = dirname(path)
    if (folder !== directory && !folders.has(folder)) await mkdir(folder, { recursive: true, mode: 0o700 })
    folders.add(folder)
    await writeFile(path, file.text, { mode: file.mode, flag: 'wx' })
    if (index === 0) await halfway()
  }
}

async function openFiles(paths: DataPaths, directory: string, files: readonly GenerationFile[], group: number): Promise<void> {
  for (const { path } of files.filter(isForWorkers)) {
    const file = join(directory, path)
    await openToGroup(file, [...new Set([dirname(file), directory, paths.generations])], group)
  }
}

/** Waits until every byte of a generation is on the disk: only then may anything come to depend on it. */
export async function syncGeneration(paths: DataPaths, { directory, manifest }: Generation): Promise<void> {
  const files = [...Object.keys(manifest.files), manifestName].map((path) => join(directory, path))
  await Promise.all(files.map(syncFile))
  for (const folder of new Set([...files.map(dirname), paths.generations])) await syncDirectory(folder)
}

export async function readGeneration(paths: DataPaths, name: string): Promise<Generation | undefined> {
  const directory = join(paths.generations, name)
  try {
    const manifest = JSON.parse(await readFile(join(directory, manifestName), 'utf8')) as Manifest
    return { name, directory, manifest }
  } catch {
    return undefined
  }
}

/** The generation that `current` points to, if it is whole. */
export async function currentGeneration(paths: DataPaths): Promise<Generation | undefined> {
  const target = await readlink(paths.current).catch(() => undefined)
  return target === undefined ? undefined : readGeneration(paths, basename(target))
}

export async function removeGeneration(generation: Generation): Promise<void> {
  await rm(generation.directory, { recursive: true, force: true })
}

/** All finished generations that can be gone back to, newest first. */
export async function listGenerations(paths: DataPaths): Promise<Generation[]> {
  const found = await Promise.all((await readdir(paths.generations)).map((name) => readGeneration(paths, name)))
  return found
    .filter((generation) => generation !== undefined)
    .filter(({ manifest }) => !manifest.on_the_way)
    .sort((a, b) => b.manifest.version - a.manifest.version || b.name.localeCompare(a.name, 'en', { numeric: true }))
}

/** Removes generations that were never finished, and all but the newest few finished ones; those named are kept. */
export async function pruneGenerations(paths: DataPaths, keep: ReadonlySet<string>, count = 3): Promise<void> {
  const whole = await listGenerations(paths)
  const finished = new Set(whole.map((generation) => generation.name))
  for (const name of await readdir(paths.generations)) {
    if (!finished.has(name) && !keep.has(name)) await rm(join(paths.generations, name), { recursive: true, force: true })
  }
  const spare = whole.filter((generation) => !keep.has(generation.name))
  for (const generation of spare.slice(Math.max(0, count - keep.size))) await removeGeneration(generation)
}

/** The files of a generation that are no longer what the agent wrote: changed, missing or added. */
export async function changedFiles(generation: Generation): Promise<string[]> {
  const { files } = generation.manifest
  const changed: string[] = []
  for (const [path, hash] of Object.entries(files)) {
    const bytes = await readBytes(join(generation.directory, path))
    if (bytes === undefined) changed.push(`${path} (missing)`)
    else if (hashOf(bytes) !== hash) changed.push(path)
  }
  const entries = await readdir(generation.directory, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name).slice(generation.directory.length + 1)
    if (!entry.isDirectory() && path !== manifestName && !Object.hasOwn(files, path)) changed.push(`${path} (added)`)
  }
  return changed
}

export function sameFiles(a: Record<string, string>, b: Record<string, string>): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}

async function readBytes(path: string): Promise<Buffer | undefined> {
  const file = await open(path, 'r').catch(() => undefined)
  if (!file) return undefined
  try {
    return await file.readFile()
  } finally {
    await file.close()
  }
}
