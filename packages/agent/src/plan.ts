import type { Finding } from '@nxmesh/model/agent'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { addressesOf, portOf } from '@nxmesh/model/listen-address'
import { mailListens } from '@nxmesh/nginx/mail-directives'
import type { LedgerState } from './ledger.ts'
import type { Taken } from './ports.ts'

export type Plan = { kind: 'nothing' } | { kind: 'wait'; reason: string } | { kind: 'apply' }

/** Why the plan is made: the master sent a config (again), a command asks, a retry is due, or nothing of these. */
export type Trigger = 'offer' | 'command' | 'retry' | 'tick'

/** What the ledger asks for. A config that nginx refused is left alone until it is sent anew, a command asks, or its cause on this machine may have gone. */
export function planNext(state: LedgerState, trigger: Trigger): Plan {
  const { desired, good, rejected, stopped } = state
  if (!desired) return { kind: 'nothing' }
  if (stopped) return { kind: 'wait', reason: 'nginx was stopped by command; the config is applied when it is started again' }
  if (good?.digest === desired.digest && good.version === desired.version) return { kind: 'nothing' }
  if (rejected?.digest !== desired.digest || trigger === 'offer' || trigger === 'command') return { kind: 'apply' }
  if (trigger === 'retry' && rejected.cause === 'host') return { kind: 'apply' }
  return { kind: 'wait', reason: 'nginx refused this config' }
}

const hostCauses = [
  /No space left on device|Disk quota exceeded/,
  /Address already in use|still could not bind|bind\(\) to .* failed/,
  /host not found|could not be resolved/,
  /Too many open files|Cannot allocate memory/,
  /Cannot assign requested address/,
  /had not read its configuration after/,
  /Permission denied|Operation not permitted|Read-only file system/,
]

/** Whether a refusal comes from the machine (a port, a disk, a name server) and may go away, or from the config itself. */
export function causeOf(output: string, dataDirectory: string): 'config' | 'host' {
  if (hostCauses.some((pattern) => pattern.test(output))) return 'host'
  const place = / in (\/\S+):\d+$/m.exec(output)?.[1]
  return place !== undefined && !place.startsWith(`${dataDirectory}/`) ? 'host' : 'config'
}

/** nginx's own last words: its first emergency, without date and process number. */
export function firstTrouble(output: string): string {
  const lines = output.split('\n').map((line) => line.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[\w+\] \d+#\d+: |^nginx: \[\w+\] /, ''))
  const index = output.split('\n').findIndex((line) => /\[(emerg|alert|crit)\]/.test(line))
  return (lines[index] ?? lines.find((line) => line.trim() !== '') ?? 'nginx gave no reason').trim()
}

/** One finding per port that nginx could not open, at the hosts or settings that asked for it. */
export function portFindings(
  taken: readonly Taken[],
  { virtual_hosts, stream_hosts = [], settings }: Pick<AgentConfig, 'virtual_hosts' | 'stream_hosts' | 'settings'>,
): Finding[] {
  return taken.flatMap(({ port, transport, address, reason }): Finding[] => {
    const isOn = (host: Parameters<typeof addressesOf>[0]) => address === undefined || addressesOf(host).includes(address)
    const users = [
      ...virtual_hosts.filter((host) => portOf(host) === port && isOn(host)).map((host) => ({ kind: 'virtual_host' as const, ...host })),
      ...stream_hosts
        .filter((host) => portOf(host) === port && host.protocol === transport && isOn(host))
        .map((host) => ({ kind: 'stream_host' as const, ...host })),
    ]
    const mail = mailListens(settings).find((listen) => transport === 'tcp' && listen.port === port && listen.address === address)
    if (mail) return [{ severity: 'error', message: reason, kind: 'settings', field: mail.field }]
    if (users.length === 0) return [{ severity: 'error', message: reason }]
    const field = address === undefined ? 'listen_port' : 'listen_addresses'
    return users.map(({ kind, id, name }) => ({ severity: 'error', message: reason, kind, id, name, field }))
  })
}

/** How long the proof of a reload may take: nginx needs about a second for a megabyte and a half of config, and far more on a busy machine. */
export function proofTimeout(files: readonly { text: string }[]): number {
  const bytes = files.reduce((sum, file) => sum + file.text.length, 0)
  return 15_000 + Math.ceil(bytes / 1_000_000) * 5_000
}

/** A wait of the n-th attempt (from 0), doubled each time up to a limit, with a random part so that a fleet does not act in step. */
export function backoff(attempt: number, { firstMs, maxMs, random }: { firstMs: number; maxMs: number; random: number }): number {
  return Math.min(maxMs, firstMs * 2 ** attempt) * (0.5 + random / 2)
}
