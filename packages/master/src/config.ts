import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { size } from '@nxmesh/model/size'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'

const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, 'must be host:port')
  .transform((text) => ({
    host: text.slice(0, text.lastIndexOf(':')).replace(/^\[|\]$/g, ''),
    port: Number(text.slice(text.lastIndexOf(':') + 1)),
  }))
  .refine(({ port }) => port <= 65_535, 'must have a port up to 65535')

function isNetwork(text: string): boolean {
  const [ip = '', prefix, ...rest] = text.split('/')
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(ip)]!
  return rest.length === 0 && bits > 0 && (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits))
}

function isServer(text: string): boolean {
  const [, bracketed, plain, port = '53'] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const isAddress = isIP(text) === 6 || isIP(bracketed ?? '') === 6 || isIP(plain ?? '') === 4
  return isAddress && Number(port) > 0 && Number(port) <= 65_535
}

const httpAddress = z
  .string()
  .refine((text) => /^https?:\/\//.test(text) && URL.canParse(text), 'must be an address that begins with http:// or https://')
  .optional()

const headers = z
  .string()
  .default('')
  .transform((text, context) => {
    // As in OTEL_EXPORTER_OTLP_HEADERS: name=value,name=value with percent-encoded values.
    const parts = text
      .split(',')
      .flatMap((part) => (part.trim() === '' ? [] : [/^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(.*?)\s*$/.exec(part)]))
    try {
      const pairs = parts.map((part) => [part![1]!.toLowerCase(), decodeURIComponent(part![2]!)] as const)
      if (pairs.every(([, value]) => /^[\t\x20-\x7e]*$/.test(value))) return Object.fromEntries(pairs)
    } catch {
      // Told below, without the value: it may be a secret.
    }
    context.addIssue({ code: 'custom', message: 'must be name=value, comma-separated, with values percent-encoded' })
    return z.NEVER
  })

const number = (min: number, max: number) => z.coerce.number().int().min(min).max(max)

const networks = z
  .string()
  .default('')
  .transform((text) => text.split(',').filter((part) => part !== ''))
  .refine((parts) => parts.every(isNetwork), 'must be addresses or networks (10.0.0.0/8), comma-separated')

/** Every setting of the master: its schema, its variable in the environment and its line of help. */
export const settings = {
  'data-dir': {
    schema: z.string().min(1).default('./data'),
    env: 'NXMESH_DATA_DIR',
    help: 'directory for the embedded database, keys and certificates (./data)',
  },
  database: {
    schema: z
      .string()
      .refine((text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text), 'must be an address that begins with postgres://')
      .optional(),
    env: 'NXMESH_DATABASE',
    help: 'postgres://user:password@host:port/name; embedded SQLite in the data directory when absent',
    secret: true,
  },
  http: { schema: address.prefault('127.0.0.1:8080'), env: 'NXMESH_HTTP', help: 'address of the REST API (127.0.0.1:8080)' },
  agents: { schema: address.prefault('127.0.0.1:8443'), env: 'NXMESH_AGENTS', help: 'address for agents: gRPC over TLS (127.0.0.1:8443)' },
  'agent-names': {
    schema: z
      .string()
      .default('')
      .transform((text) => text.split(',').filter((name) => name !== '')),
    env: 'NXMESH_AGENT_NAMES',
    help: 'further host names and addresses of the agents’ listener, comma-separated, for its certificate',
  },
  'public-url': { schema: z.url().optional(), env: 'NXMESH_PUBLIC_URL', help: 'address at which people and agents reach this master' },
  'admin-email': {
    schema: z.email().default('admin@nxmesh.local'),
    env: 'NXMESH_ADMIN_EMAIL',
    help: 'e-mail address of the first administrator; first start only (admin@nxmesh.local)',
  },
  'admin-password': {
    schema: z.string().min(8, 'must have at least 8 characters').max(1024).optional(),
    env: 'NXMESH_ADMIN_PASSWORD',
    help: 'password of the first administrator, made and printed when absent; first start only',
    secret: true,
  },
  'secret-key-file': {
    schema: z.string().min(1).optional(),
    env: 'NXMESH_SECRET_KEY_FILE',
    help: 'file with 32 bytes in base64 that encrypts keys at rest (DATA_DIR/secret.key)',
  },
  'local-agent-token': {
    schema: z.string().min(1).optional(),
    env: 'NXMESH_LOCAL_AGENT_TOKEN',
    help: 'file to write a token for an agent named "local" to, until that agent has registered',
  },
  'rate-limit': {
    schema: number(0, 1_000_000_000).default(1000),
    env: 'NXMESH_RATE_LIMIT',
    help: 'requests a minute for each user, API token or, before sign-in, address; 0 for any number (1000)',
  },
  'sign-in-failures': {
    schema: number(0, 1_000_000).default(10),
    env: 'NXMESH_SIGN_IN_FAILURES',
    help: 'failed sign-ins of one account from one address in 15 minutes until more are refused; 0 for any number (10)',
  },
  'trusted-proxies': {
    schema: networks,
    env: 'NXMESH_TRUSTED_PROXIES',
    help: 'addresses of proxies before this master whose X-Forwarded-For is believed, comma-separated',
  },
  'acme-directory': {
    schema: httpAddress,
    env: 'NXMESH_ACME_DIRECTORY',
    help: 'directory of the ACME server that providers letsencrypt and letsencrypt_staging stand for; their own when absent',
  },
  'acme-ca-file': {
    schema: z.string().min(1).optional(),
    env: 'NXMESH_ACME_CA_FILE',
    help: 'PEM file with the CA of that server’s own address, where it is a private one',
  },
  'telemetry-retention-days': {
    schema: number(1, 3650).default(30),
    env: 'NXMESH_TELEMETRY_RETENTION_DAYS',
    help: 'days for which logs and metrics are kept (30)',
  },
  'telemetry-max-size': {
    schema: size.prefault('10GB'),
    env: 'NXMESH_TELEMETRY_MAX_SIZE',
    help: 'room for logs and metrics in DATA_DIR/telemetry, as in 500MB; the oldest go when it is used up (10GB)',
  },
  'metrics-token': {
    schema: z.string().min(16, 'must have at least 16 characters').max(1024).optional(),
    env: 'NXMESH_METRICS_TOKEN',
    help: 'bearer token with which Prometheus reads /metrics and /metrics/fleet; no /metrics when absent',
    secret: true,
  },
  'otlp-endpoint': {
    schema: httpAddress,
    env: 'NXMESH_OTLP_ENDPOINT',
    help: 'OpenTelemetry receiver for logs and metrics, as in http://localhost:4318; /v1/logs and /v1/metrics are added',
  },
  'otlp-logs-endpoint': {
    schema: httpAddress,
    env: 'NXMESH_OTLP_LOGS_ENDPOINT',
    help: 'whole address of a receiver for logs',
  },
  'otlp-metrics-endpoint': {
    schema: httpAddress,
    env: 'NXMESH_OTLP_METRICS_ENDPOINT',
    help: 'whole address of a receiver for metrics',
  },
  'otlp-signals': {
    schema: z
      .string()
      .default('logs,metrics')
      .transform((text) => text.split(',').map((name) => name.trim()))
      .pipe(z.array(z.enum(['logs', 'metrics'], 'must be logs, metrics or both, comma-separated'))),
    env: 'NXMESH_OTLP_SIGNALS',
    help: 'what is exported there (logs,metrics)',
  },
  'otlp-headers': {
    schema: headers,
    env: 'NXMESH_OTLP_HEADERS',
    help: 'headers for the receiver as name=value, comma-separated, with values percent-encoded',
    secret: true,
  },
  'otlp-compression': {
    schema: z.enum(['gzip', 'none']).default('gzip'),
    env: 'NXMESH_OTLP_COMPRESSION',
    help: 'how requests to the receiver are compressed: gzip or none (gzip)',
  },
  'otlp-ca-file': {
    schema: z.string().min(1).optional(),
    env: 'NXMESH_OTLP_CA_FILE',
    help: 'certificates in PEM to trust for the receiver, in the place of the usual ones',
  },
  'dns-resolvers': {
    schema: z
      .string()
      .default('')
      .transform((text) => text.split(',').filter((part) => part !== ''))
      .refine((parts) => parts.every(isServer), 'must be addresses, each with :port unless it is 53, comma-separated'),
    env: 'NXMESH_DNS_RESOLVERS',
    help: 'DNS servers that are asked for certificates, as in 192.0.2.53,127.0.0.1:5353; those of the system when absent',
  },
  'outbound-networks': {
    schema: networks,
    env: 'NXMESH_OUTBOUND_NETWORKS',
    help: 'addresses and networks that webhooks, ACME servers and DNS providers may be in although they are not public, comma-separated',
  },
  'smtp-url': {
    schema: z
      .string()
      .refine((text) => /^smtps?:\/\//.test(text) && URL.canParse(text), 'must be an address that begins with smtp:// or smtps://')
      .optional(),
    env: 'NXMESH_SMTP_URL',
    help: 'smtp://user:password@host:port of the server for e-mail, or smtps://; no e-mail when absent',
    secret: true,
  },
  'smtp-from': {
    schema: z.email().optional(),
    env: 'NXMESH_SMTP_FROM',
    help: 'address that e-mail is from; goes with --smtp-url',
  },
  'heartbeat-interval': {
    schema: number(1, 3600).default(10),
    env: 'NXMESH_HEARTBEAT_INTERVAL',
    help: 'seconds between heartbeats of an agent (10)',
  },
  'log-level': {
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
    env: 'NXMESH_LOG_LEVEL',
    help: 'least severity that is logged: trace, debug, info, warn, error or silent (info)',
  },
} as const

type Settings = typeof settings
export type Config = { readonly [K in keyof Settings]: z.output<Settings[K]['schema']> }

export type Asked =
  | { kind: 'run'; config: Config }
  | { kind: 'migrate'; config: Config }
  | { kind: 'backup'; config: Config; file: string }
  | { kind: 'restore'; config: Config; file: string; replace: boolean }
  | { kind: 'help' }
  | { kind: 'version' }
  | { kind: 'refused'; message: string }

/** Reads flags, environment, the YAML file and defaults, in that order of precedence. An unknown key or a bad value refuses the start. */
export function readConfig(args: string[], env: NodeJS.ProcessEnv): Asked {
  try {
    const { values, positionals } = readFlags(args)
    const { help, version, replace, config: file, ...flags } = values
    if (help) return { kind: 'help' }
    if (version) return { kind: 'version' }
    const path = (file as string | undefined) ?? env['NXMESH_CONFIG']
    const fromFile = path === undefined ? {} : readFile(path)
    return command(positionals, replace === true, parse({ ...fromFile, ...fromEnvironment(env), ...flags }))
  } catch (error) {
    return { kind: 'refused', message: error instanceof Error ? error.message : String(error) }
  }
}

function command([name, file, ...rest]: string[], replace: boolean, config: Config): Asked {
  if (replace && name !== 'restore') throw new Error('--replace goes with restore')
  if (name === undefined) return { kind: 'run', config }
  if (name === 'migrate' && file === undefined) return { kind: name, config }
  if ((name !== 'backup' && name !== 'restore') || rest.length > 0) {
    throw new Error(`there is no command "${[name, file, ...rest].join(' ').trim()}"; there are migrate, backup FILE and restore FILE`)
  }
  if (file === undefined) throw new Error(`${name} needs the name of a file`)
  return name === 'backup' ? { kind: name, config, file } : { kind: name, config, file, replace }
}

/** The text of `--help`. */
export function helpText(): string {
  const lines = Object.entries(settings).map(([name, { env, help }]) => `  --${name.padEnd(20)} ${env.padEnd(26)} ${help}`)
  const secrets = Object.entries(settings).flatMap(([name, { env }]) => (isSecret(name) ? [`${env}_FILE`] : []))
  return [
    'nxmesh-master: stores what every nginx should serve, and brings it there.',
    '',
    'Usage: nxmesh-master [settings]                           serves, until it is stopped',
    '       nxmesh-master migrate [settings]                   brings the schema of the database up to date',
    '       nxmesh-master backup FILE [settings]               writes all that the database holds to a file, also beside a master that serves',
    '       nxmesh-master restore FILE [--replace] [settings]  fills an empty database of either kind from it, or replaces what one holds',
    '',
    ...lines,
    `  --${'config'.padEnd(20)} ${'NXMESH_CONFIG'.padEnd(26)} YAML file with settings by name (data_dir, agent_names, …; admin_password_file for the password)`,
    '  --help, --version',
    '',
    'A flag wins over the environment, the environment over the file, the file over defaults (in parentheses).',
    `${secrets.join(', ')} name files to read these from.`,
    'Exit codes: 0 stopped as asked, 1 failed, 2 wrong settings.',
  ].join('\n')
}

function readFlags(args: string[]): { values: Record<string, string | boolean | undefined>; positionals: string[] } {
  const options = Object.fromEntries([...Object.keys(settings), 'config'].map((name) => [name, { type: 'string' as const }]))
  const { values, positionals } = parseArgs({
    args,
    options: { ...options, help: { type: 'boolean' }, version: { type: 'boolean' }, replace: { type: 'boolean' } },
    strict: true,
    allowPositionals: true,
  })
  return { values: values as Record<string, string | boolean | undefined>, positionals }
}

function readFile(path: string): Record<string, unknown> {
  const content: unknown = parseYaml(readFileSync(path, 'utf8')) ?? {}
  if (typeof content !== 'object' || Array.isArray(content)) throw new Error(`${path} must hold settings by name`)
  const found: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(content as object)) {
    // Words are joined by "_", as in the file of an agent, or by "-", as in a flag.
    const name = key.replaceAll('_', '-')
    const secret = name.endsWith('-file') ? name.slice(0, -'-file'.length) : name
    const isFile = !Object.hasOwn(settings, name) && isSecret(secret)
    const target = isFile ? secret : name
    if (!Object.hasOwn(settings, target)) throw new Error(`${path}: "${key}" is not a setting`)
    if (Object.hasOwn(found, target)) throw new Error(`${path}: "${key}" is given twice`)
    found[target] = isFile ? readSecret(String(value)) : value
  }
  return found
}

const isSecret = (name: string) => Object.hasOwn(settings, name) && 'secret' in settings[name as keyof Settings]
const readSecret = (path: string) => readFileSync(path, 'utf8').trim()

function fromEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, setting] of Object.entries(settings)) {
    const file = isSecret(name) ? env[`${setting.env}_FILE`] || undefined : undefined
    const value = env[setting.env] || undefined
    if (file !== undefined && value !== undefined) throw new Error(`${setting.env} and ${setting.env}_FILE must not both be given`)
    const text = file === undefined ? value : readSecret(file)
    if (text !== undefined) found[name] = text
  }
  return found
}

function parse(values: Record<string, unknown>): Config {
  const schema = z.object(Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, setting.schema])))
  const result = schema.safeParse(values)
  if (result.success) {
    const config = result.data as Config
    if ((config['smtp-url'] === undefined) === (config['smtp-from'] === undefined)) return Object.freeze(config)
    throw new Error('--smtp-url (NXMESH_SMTP_URL) and --smtp-from (NXMESH_SMTP_FROM) go together')
  }
  const issue = result.error.issues[0]!
  const name = String(issue.path[0])
  throw new Error(`--${name} (${settings[name as keyof Settings].env}): ${issue.message}`)
}
