import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from './ports.ts'
import { until } from './until.ts'

export interface Bind extends AsyncDisposable {
  /** Where it answers and takes updates: `127.0.0.1:PORT`. */
  server: string
  /** Keys that may change the zones, except those that are `fixed`. */
  keys: { name: string; algorithm: 'hmac-sha256' | 'hmac-sha512'; secret: string }[]
  /** What it wrote until now. */
  output(): string
}

export interface Zones {
  /** The lines of zones that take updates, by their names; SOA and NS records are there. */
  open: Record<string, string[]>
  /** Those that take none. */
  fixed?: Record<string, string[]>
  /** Whether it follows CNAMEs from one zone into another, as the servers do that a CA asks. */
  recursion?: boolean
}

/** Starts the name server of the distribution with zones of its own in `directory`. */
export async function startBind(directory: string, { open, fixed = {}, recursion = false }: Zones): Promise<Bind> {
  const port = await freePort()
  const keys = (['hmac-sha256', 'hmac-sha512'] as const).map((algorithm) => ({
    name: `nxmesh-${algorithm}.key`,
    algorithm,
    secret: randomBytes(32).toString('base64'),
  }))
  const zone = async (name: string, lines: string[], policy: string) => {
    const head = ['$TTL 60', '@ SOA ns.invalid. admin.invalid. 1 3600 600 86400 60', '@ NS ns.invalid.']
    await writeFile(join(directory, `${name}.zone`), `${[...head, ...lines].join('\n')}\n`)
    return `zone "${name}" { type master; file "${name}.zone"; ${policy} };`
  }
  const grants = keys.map(({ name }) => `grant "${name}" zonesub TXT;`).join(' ')
  const text = [
    `options { directory "${directory}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion ${recursion ? 'yes' : 'no'};`,
    '  dnssec-validation no; notify no; pid-file none; session-keyfile none; lock-file none; };',
    'controls { };',
    ...keys.map(({ name, algorithm, secret }) => `key "${name}" { algorithm ${algorithm}; secret "${secret}"; };`),
    ...(await Promise.all(Object.entries(open).map(([name, lines]) => zone(name, lines, `update-policy { ${grants} };`)))),
    ...(await Promise.all(Object.entries(fixed).map(([name, lines]) => zone(name, lines, 'allow-update { none; };')))),
  ]
  await writeFile(join(directory, 'named.conf'), `${text.join('\n')}\n`)
  // Where AppArmor is on, the program in its place may read and write nothing here.
  const program = join(directory, 'named')
  await copyFile('/usr/sbin/named', program)
  const named = spawn(program, ['-g', '-4', '-n', '1', '-c', join(directory, 'named.conf')], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [named.stdout, named.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  await once(named, 'spawn')
  await until('named to run or to end', () => named.exitCode !== null || /\brunning$/m.test(output))
  if (named.exitCode !== null) throw new Error(`named ended:\n${output}`)
  return {
    server: `127.0.0.1:${port}`,
    keys,
    output: () => output,
    async [Symbol.asyncDispose]() {
      const ended = once(named, 'exit')
      if (named.exitCode === null && named.kill('SIGKILL')) await ended
    },
  }
}
