import { access, constants, readFile } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { labels } from '@nxmesh/model/labels'
import { size } from '@nxmesh/model/size'
import { parse } from 'yaml'
import { z } from 'zod'
import { detectDeploymentMode } from './machine.ts'
import type { AgentOptions } from './start.ts'
import { readToken } from './trust.ts'

const masterAddress = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):(\d{1,5})$/

// Four megabytes may be on their way to the master at once.
const leastBacklog = 16 * 2 ** 20

const settings = z.strictObject({
  master: z.string('is required: host:port of the master, for example master.example.com:8443').refine((text) => {
    const port = Number(masterAddress.exec(text)?.[2] ?? 0)
    return port >= 1 && port <= 65_535
  }, 'must be host:port, for example master.example.com:8443'),
  token: z
    .string()
    .refine((text) => readToken(text) !== undefined, 'must be a whole agent token, as it was shown when it was made')
    .optional(),
  data_dir: z.string().min(1, 'must not be empty').default('./agent-data'),
  nginx: z.string().min(1, 'must not be empty').default('nginx'),
  mode: z.enum(['owned', 'include'], 'must be owned or include').default('owned'),
  nginx_conf: z.string().startsWith('/', 'must be an absolute path').optional(),
  labels: labels.default({}),
  ca_file: z.string().min(1, 'must not be empty').optional(),
  deployment_mode: z
    .enum(['docker_sidecar', 'kubernetes_sidecar', 'standalone'], 'must be docker_sidecar, kubernetes_sidecar or standalone')
    .optional(),
  log_backlog: size.refine((bytes) => bytes >= leastBacklog, 'must be 16MB or more').prefault('256MB'),
})

type SettingName = keyof z.infer<typeof settings>

interface Setting {
  name: SettingName
  flag: string
  env: string
  value: string
  help: string
}

const table: readonly Setting[] = [
  { name: 'master', flag: 'master', env: 'NXMESH_MASTER', value: 'HOST:PORT', help: 'the master to join' },
  {
    name: 'token',
    flag: 'token',
    env: 'NXMESH_TOKEN',
    value: 'TOKEN',
    help: 'agent token; needed for the first start only (file: NXMESH_TOKEN_FILE)',
  },
  {
    name: 'data_dir',
    flag: 'data-dir',
    env: 'NXMESH_AGENT_DATA_DIR',
    value: 'DIR',
    help: 'where the agent keeps what it knows (./agent-data)',
  },
  {
    name: 'nginx',
    flag: 'nginx',
    env: 'NXMESH_NGINX',
    value: 'PATH',
    help: 'the nginx binary (nginx, looked up in PATH and the sbin directories)',
  },
  {
    name: 'mode',
    flag: 'mode',
    env: 'NXMESH_NGINX_MODE',
    value: 'MODE',
    help: 'owned: the agent owns all of nginx; include: the nginx.conf of this host stays and includes DIR/current/http.conf (owned)',
  },
  {
    name: 'nginx_conf',
    flag: 'nginx-conf',
    env: 'NXMESH_NGINX_CONF',
    value: 'PATH',
    help: "include mode: this host's nginx.conf (as nginx -V says)",
  },
  {
    name: 'labels',
    flag: 'label',
    env: 'NXMESH_LABELS',
    value: 'KEY=VALUE',
    help: 'a label of this agent; may be repeated (environment: separated by commas)',
  },
  {
    name: 'ca_file',
    flag: 'ca-file',
    env: 'NXMESH_CA_FILE',
    value: 'PATH',
    help: "the master's CA certificate, instead of the fingerprint in the token",
  },
  {
    name: 'deployment_mode',
    flag: 'deployment-mode',
    env: 'NXMESH_DEPLOYMENT_MODE',
    value: 'MODE',
    help: 'docker_sidecar, kubernetes_sidecar or standalone (detected)',
  },
  {
    name: 'log_backlog',
    flag: 'log-backlog',
    env: 'NXMESH_LOG_BACKLOG',
    value: 'SIZE',
    help: 'how much of each log of nginx may wait on the disk while the master takes none, 16MB or more; then the oldest lines go (256MB)',
  },
]

export type Parsed =
  | { kind: 'run'; options: AgentOptions & { master: string } }
  | { kind: 'help'; text: string }
  | { kind: 'version' }
  | { kind: 'invalid'; message: string }

/** Reads the agent's settings: flags before environment before file before defaults. Relative paths of a file are relative to where the agent starts. */
export async function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<Parsed> {
  const flags = readFlags(argv)
  if (typeof flags === 'string') return { kind: 'invalid', message: flags }
  if (flags['help']) return { kind: 'help', text: helpText() }
  if (flags['version']) return { kind: 'version' }
  try {
    const values = {
      ...(await fromFile(flags['config'] ?? env['NXMESH_AGENT_CONFIG'])),
      ...(await fromEnvironment(env)),
      ...fromFlags(flags),
    }
    const parsed = settings.safeParse(values)
    if (!parsed.success) return { kind: 'invalid', message: parsed.error.issues.map(sentenceOf).join('\n') }
    return { kind: 'run', options: await optionsOf(parsed.data, env) }
  } catch (cause) {
    return { kind: 'invalid', message: (cause as Error).message }
  }
}

type Flags = Record<string, string | string[] | boolean | undefined> & { config?: string }

function readFlags(argv: readonly string[]): Flags | string {
  const options: Record<string, { type: 'string' | 'boolean'; multiple?: boolean; short?: string }> = {
    config: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'v' },
  }
  for (const { flag } of table) options[flag] = { type: 'string', multiple: flag === 'label' }
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values as Flags
  } catch (cause) {
    return (cause as Error).message.split('. ')[0]!
  }
}

function fromFlags(flags: Flags): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const { name, flag } of table) {
    const value = flags[flag]
    if (value !== undefined) values[name] = name === 'labels' ? readLabels(value as string[], '--label') : value
  }
  return values
}

async function fromEnvironment(env: NodeJS.ProcessEnv): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {}
  for (const { name, env: variable } of table) {
    const value = env[variable]
    if (value) values[name] = name === 'labels' ? readLabels(value.split(','), variable) : value
  }
  const tokenFile = env['NXMESH_TOKEN_FILE']
  if (tokenFile) {
    if (values['token'] !== undefined) throw new Error('NXMESH_TOKEN and NXMESH_TOKEN_FILE are both set: give one of them')
    values['token'] = await readSecret(tokenFile, 'NXMESH_TOKEN_FILE')
  }
  return values
}

async function fromFile(path: string | undefined): Promise<Record<string, unknown>> {
  if (path === undefined || path === '') return {}
  let values: unknown
  try {
    values = parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new Error(`the config file ${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
  if (values === null) return {}
  if (typeof values !== 'object' || Array.isArray(values)) throw new Error(`the config file ${path} must hold settings by name`)
  const { token_file, ...rest } = values as Record<string, unknown>
  if (token_file === undefined) return rest
  if (rest['token'] !== undefined) throw new Error(`token and token_file are both set in ${path}: give one of them`)
  if (typeof token_file !== 'string') throw new Error(`token_file in ${path} must be a path`)
  return { ...rest, token: await readSecret(token_file, 'token_file') }
}

async function readSecret(path: string, name: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (cause) {
    throw new Error(`${name}: ${(cause as Error).message}`, { cause })
  }
}

function readLabels(pairs: readonly string[], source: string): Record<string, string> {
  return Object.fromEntries(
    pairs
      .map((pair) => pair.trim())
      .filter((pair) => pair !== '')
      .map((pair) => {
        const at = pair.indexOf('=')
        if (at < 1) throw new Error(`${source}: "${pair}" is not a label: it must be key=value`)
        return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
      }),
  )
}

async function optionsOf(data: z.infer<typeof settings>, env: NodeJS.ProcessEnv): Promise<AgentOptions & { master: string }> {
  if (data.nginx_conf !== undefined && data.mode === 'owned') throw new Error('--nginx-conf only has a meaning in include mode')
  return {
    master: data.master,
    token: data.token,
    dataDir: resolve(data.data_dir),
    nginx: await findBinary(data.nginx, env),
    mode: data.mode,
    nginxConf: data.nginx_conf,
    labels: data.labels,
    caFile: data.ca_file,
    deploymentMode: data.deployment_mode ?? detectDeploymentMode(env),
    logBacklog: data.log_backlog,
  }
}

async function findBinary(name: string, env: NodeJS.ProcessEnv): Promise<string> {
  if (name.includes('/')) return isAbsolute(name) ? name : resolve(name)
  for (const directory of [...(env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/usr/local/nginx/sbin', '/sbin']) {
    const path = join(directory, name)
    const runnable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isAbsolute(path) && runnable) return path
  }
  throw new Error(`no ${name} is found on this machine: install nginx, or name its binary with --nginx or NXMESH_NGINX`)
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${key}: there is no such setting`).join('\n')
  const [name] = issue.path
  const setting = table.find((each) => each.name === name)
  const where = setting ? `${issue.path.join('.')} (--${setting.flag}, ${setting.env})` : issue.path.join('.')
  return `${where} ${issue.message}`
}

function helpText(): string {
  const rows = [
    ...table.map(({ flag, value, env, help }) => [`--${flag} ${value}`, env, help] as const),
    [
      '--config FILE',
      'NXMESH_AGENT_CONFIG',
      'a YAML file with the settings by name (data_dir, labels, …; token_file for the token)',
    ] as const,
    ['--help, -h', '', 'this text'] as const,
    ['--version, -v', '', 'the version of the agent'] as const,
  ]
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  const lines = rows.map(([flag, env, help]) => `  ${flag.padEnd(widths[0]!)}  ${env.padEnd(widths[1]!)}  ${help}`)
  return `nxmesh-agent: has one nginx serve what its NxMesh master says, and proves it

Usage: nxmesh-agent --master HOST:PORT --token TOKEN [settings]

${lines.join('\n')}

Flags rule over the environment, the environment over the file, the file over defaults (in parentheses).

Exit codes: 0 stopped by a signal (nginx goes on serving), 1 the agent could not start or failed, 2 a setting is wrong.
`
}
