import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type NginxFacts, parseVersion, probes } from '@nxmesh/nginx/facts'
import { type DataPaths, replaceFile } from './durable.ts'
import { buildText, testConfig } from './nginx.ts'

/** Learns what a binary can do, once per file: an upgrade in place is another file. */
export function binaryFacts(paths: DataPaths): (binary: string) => Promise<NginxFacts> {
  const known = new Map<string, Promise<NginxFacts>>()
  return async (binary) => {
    const found = await stat(binary).catch((cause: NodeJS.ErrnoException) => {
      throw new Error(`nginx cannot be run: ${cause.code === 'ENOENT' ? `there is no file ${binary}` : cause.message}`, { cause })
    })
    const key = `${found.dev}:${found.ino}:${found.mtimeMs}`
    const facts = known.get(key) ?? learnOrRemember(binary, key, paths)
    known.set(key, facts)
    facts.catch(() => known.delete(key))
    return facts
  }
}

/** Trying a binary out needs a little room on the disk. Where there is none, what an earlier start learned of the same file still holds. */
async function learnOrRemember(binary: string, key: string, { data, scratch }: DataPaths): Promise<NginxFacts> {
  const memory = join(data, 'nginx-facts.json')
  try {
    const facts = await learn(binary, scratch)
    await replaceFile(memory, JSON.stringify({ key, facts })).catch(() => undefined)
    return facts
  } catch (cause) {
    const text = await readFile(memory, 'utf8').catch(() => '{}')
    const kept = JSON.parse(text) as { key?: string; facts?: NginxFacts }
    if (kept.key === key && kept.facts) return kept.facts
    throw cause
  }
}

async function learn(binary: string, scratch: string): Promise<NginxFacts> {
  const facts = parseVersion(await buildText(binary))
  if (!facts) throw new Error(`${binary} is not an nginx: it does not answer -V as nginx does`)
  await mkdir(scratch, { recursive: true })
  const directory = await mkdtemp(join(scratch, 'probe-'))
  try {
    await mkdir(join(directory, 'temp'))
    const supports = { ...facts.supports }
    for (const { name, text } of probes) {
      const conf = join(directory, `${name}.conf`)
      await writeFile(conf, text)
      const errorLog = supports.error_log_option
      supports[name] = (await testConfig({ binary, prefix: directory, conf, errorLog })).ok
    }
    return { ...facts, supports }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
