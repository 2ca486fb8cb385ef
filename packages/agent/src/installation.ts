import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { NginxFacts } from '@nxmesh/nginx/facts'
import { candidateOf, findInclude } from '@nxmesh/nginx/host-config'
import type { DataPaths } from './durable.ts'
import type { Generation } from './generations.ts'
import { errorLogOf, masterStartedWith, type RunResult, removeStaleSocket, runningMaster, startNginx, testConfig } from './nginx.ts'
import { endOrphans } from './orphans.ts'

export type InstallationMode = 'owned' | 'include'

/** One nginx on this machine and how it is laid out: the two modes differ here and nowhere else. */
export interface Installation {
  mode: InstallationMode
  /** The binary that a start would run. */
  binary: string
  binaryName: string
  /** Whether the agent brings nginx back when it ends. The host's own service manager does that for a config of the host. */
  supervised: boolean
  findMaster(): Promise<number | undefined>
  errorLog(master: number): Promise<string | undefined>
  /** `nginx -t` on exactly this generation, with a pid file and logs that nobody uses. */
  test(generation: Generation, binary: string, facts: NginxFacts, signal?: AbortSignal): Promise<RunResult>
  start(): Promise<RunResult>
  /** What a person must do before this nginx can serve our config, if anything. */
  obstacle(): Promise<string | undefined>
}

/** The agent owns the whole nginx.conf. */
export function ownedInstallation(paths: DataPaths, binary: string): Installation {
  const binaryName = basename(binary)
  return {
    mode: 'owned',
    binary,
    binaryName,
    supervised: true,
    findMaster: async () =>
      (await runningMaster(paths.pid, binaryName)) ?? (await masterStartedWith(join(paths.current, 'nginx.conf'), binaryName)),
    errorLog: async (master) => (await errorLogOf(master)) ?? paths.errorLog,
    test: (generation, testBinary, facts, signal) =>
      testConfig(
        {
          binary: testBinary,
          prefix: paths.runtime,
          conf: join(generation.directory, 'test.conf'),
          errorLog: facts.supports.error_log_option,
        },
        signal,
      ),
    async start() {
      await endOrphans(paths.socket)
      await removeStaleSockets(paths)
      return startNginx({ binary, prefix: paths.runtime, conf: join(paths.current, 'nginx.conf') })
    },
    obstacle: async () => undefined,
  }
}

/** The host's nginx.conf stays; one line in its http block includes ours. The agent never edits it. */
export function includeInstallation(
  paths: DataPaths,
  binary: string,
  facts: NginxFacts,
  conf: string | undefined,
  testMs?: number,
): Installation {
  const main = conf ?? facts.conf_path
  const include = join(paths.current, 'http.conf')
  const binaryName = basename(binary)
  const explicit = conf !== undefined && conf !== facts.conf_path

  async function pidFile(): Promise<string> {
    const text = await readFile(main, 'utf8').catch(() => '')
    const named = /^[ \t]*pid[ \t]+["']?([^"';\s]+)["']?\s*;/m.exec(text)?.[1]
    if (named === undefined) return facts.pid_path
    return named.startsWith('/') ? named : join(facts.prefix, named)
  }

  return {
    mode: 'include',
    binary,
    binaryName,
    supervised: false,
    findMaster: async () => runningMaster(await pidFile(), binaryName),
    errorLog: errorLogOf,
    async test(generation, testBinary, testFacts, signal) {
      const text = await readFile(main, 'utf8')
      await mkdir(paths.scratch, { recursive: true, mode: 0o700 })
      const mirror = await mkdtemp(join(paths.scratch, 'host-'))
      try {
        // nginx resolves a relative include from the folder of the main file, so the copy needs the same neighbours.
        for (const name of await readdir(dirname(main))) {
          if (name !== basename(main)) await symlink(join(dirname(main), name), join(mirror, name))
        }
        const candidate = candidateOf(text, {
          include,
          candidate: join(generation.directory, 'http.conf'),
          pid: join(mirror, '.nxmesh-test.pid'),
        })
        if (!candidate.ok) return { ok: false, output: candidate.message }
        const copy = join(mirror, basename(main))
        await writeFile(copy, candidate.text, { mode: 0o600 })
        const errorLog = testFacts.supports.error_log_option
        const result = await testConfig({ binary: testBinary, prefix: testFacts.prefix, conf: copy, errorLog }, signal, testMs)
        return { ok: result.ok, output: result.output.replaceAll(`${mirror}/`, `${dirname(main)}/`) }
      } finally {
        await rm(mirror, { recursive: true, force: true })
      }
    },
    async start() {
      await endOrphans(paths.socket)
      await removeStaleSockets(paths)
      return startNginx({ binary, prefix: undefined, conf: explicit ? main : facts.conf_path })
    },
    async obstacle() {
      const text = await readFile(main, 'utf8').catch((cause: Error) => cause)
      if (text instanceof Error) return `the host's nginx config cannot be read: ${text.message}`
      if (findInclude(text, include)) return undefined
      return `${main} does not include the agent's config yet: add the line "include ${include};" inside its http { } block`
    },
  }
}

/** What a killed nginx leaves of the unix sockets that the current config listens on, the private one among them. */
async function removeStaleSockets({ socket, current }: DataPaths): Promise<void> {
  const texts = await Promise.all(['http.conf', 'stream.conf'].map((name) => readFile(join(current, name), 'utf8').catch(() => '')))
  const listened = texts.flatMap((text) => [...text.matchAll(/^ +listen unix:([^ ;"]+)/gm)].map(([, path]) => path!))
  for (const path of new Set([socket, ...listened])) await removeStaleSocket(path)
}
