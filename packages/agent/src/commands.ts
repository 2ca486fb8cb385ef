import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkTestContent } from '@nxmesh/nginx/check-test-content'
import { readConfigFiles } from './config-files.ts'
import { stopNginx, testConfig } from './nginx.ts'
import { endOrphans } from './orphans.ts'
import { explain, outcomeOf, type Reconciler } from './reconcile.ts'
import type { Scope } from './scope.ts'

export type Command =
  | { kind: 'reload' }
  | { kind: 'restart'; force: boolean }
  | { kind: 'stop'; graceful: boolean; timeout_seconds: number }
  | { kind: 'get_status' }
  | { kind: 'validate_config'; content: string }
  | { kind: 'read_host_config' }

export interface CommandResult {
  success: boolean
  message: string
  /** What was asked for. */
  data?: Record<string, string>
}

const defaultStopSeconds = 30
const remembered = 1000
// A message of a session holds four megabytes.
const mostHostConfig = 3_500_000

/** Carries out commands of the master. One that comes again, as after a reconnect, is answered from memory and not run twice. */
export function commandRunner(
  scope: Scope,
  reconciler: Reconciler,
  reportHealth: () => Promise<void>,
): (id: string, command: Command) => Promise<CommandResult> {
  const answers = new Map<string, Promise<CommandResult>>()

  async function perform(command: Command): Promise<CommandResult> {
    switch (command.kind) {
      case 'reload':
        return reapply(undefined, 'nginx was reloaded and its new workers answer')
      case 'restart':
        return reapply({ force: command.force }, 'nginx was restarted and answers')
      case 'stop':
        return stop(command)
      case 'get_status':
        await reportHealth()
        return { success: true, message: 'a health report was sent' }
      case 'validate_config':
        return validate(scope, command.content)
      case 'read_host_config':
        return readHostConfig(scope)
      default:
        return command satisfies never
    }
  }

  async function reapply(restart: { force: boolean } | undefined, done: string): Promise<CommandResult> {
    const result = await reconciler.reapply(restart)
    const { status, error_message } = outcomeOf(result)
    return { success: status === 'success', message: error_message || done }
  }

  function stop({ graceful, timeout_seconds }: { graceful: boolean; timeout_seconds: number }): Promise<CommandResult> {
    return reconciler.exclusive(async () => {
      // Written first: an agent that is killed in between must not start again what a person wants stopped.
      await scope.ledger.change({ stopped: true })
      const master = await scope.installation.findMaster()
      if (master === undefined) {
        await endOrphans(scope.paths.socket)
        return { success: true, message: 'nginx was not running' }
      }
      const { cut } = await stopNginx(master, { graceful, timeoutMs: (timeout_seconds || defaultStopSeconds) * 1000 })
      return {
        success: true,
        message: cut && graceful ? 'nginx was stopped; connections that were still open were cut' : 'nginx was stopped',
      }
    })
  }

  async function carryOut(command: Command): Promise<CommandResult> {
    const result = await perform(command).catch((cause: unknown) => ({ success: false, message: explain(cause) }))
    if (changesNginx(command)) await reportHealth().catch(() => {})
    return result
  }

  return (id, command) => {
    const known = answers.get(id)
    if (known) return known
    const answer = carryOut(command)
    answers.set(id, answer)
    if (answers.size > remembered) answers.delete(answers.keys().next().value ?? '')
    return answer
  }
}

// Who is told of the result may look at the state of the agent at once.
function changesNginx({ kind }: Command): boolean {
  return kind === 'reload' || kind === 'restart' || kind === 'stop'
}

/** Reads the host's own nginx configuration, without what the agent itself wrote. */
async function readHostConfig({ hostConf: main, paths }: Scope): Promise<CommandResult> {
  const own = join(paths.current, 'http.conf')
  const read = await readConfigFiles(main, own)
  if (!read.ok) return { success: false, message: read.reason }
  // What the host includes of ours is the master's own already.
  const included = [...read.texts.values()].some((text) => text.includes(own)) ? { [own]: '' } : {}
  const files = JSON.stringify({ ...Object.fromEntries(read.texts), ...included })
  const bytes = Buffer.byteLength(files)
  if (bytes > mostHostConfig)
    return { success: false, message: `${main} and its files have ${bytes} bytes, and at most ${mostHostConfig} can be sent` }
  const data = { main, files, left_out: JSON.stringify(read.leftOut) }
  return { success: true, message: `${main} and what it includes: ${read.texts.size} files`, data }
}

/** Tests a whole nginx config without touching anything that serves. `nginx -t` is no sandbox, so the content is checked before nginx sees it. */
async function validate(scope: Scope, content: string): Promise<CommandResult> {
  const problems = checkTestContent(content)
  if (problems.length > 0) return { success: false, message: problems.map((problem) => problem.message).join('\n') }
  const { installation, paths } = scope
  const facts = await scope.factsOf(installation.binary)
  const directory = await mkdtemp(join(paths.scratch, 'validate-'))
  try {
    const conf = join(directory, 'nginx.conf')
    await writeFile(conf, `pid nginx.pid; ${content}`, { mode: 0o600 })
    await mkdir(join(directory, 'logs'))
    const errorLog = facts.supports.error_log_option
    const { ok, output } = await testConfig({ binary: installation.binary, prefix: directory, conf, errorLog })
    return { success: ok, message: output.replaceAll(`${directory}/`, '').trim() }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
