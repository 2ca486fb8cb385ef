import { readFileSync } from 'node:fs'
import type { Kysely } from 'kysely'
import type { Config } from './config.ts'
import { inLists } from './db/in-list.ts'
import type { Database } from './db/schema.ts'
import type { KnownAgent } from './telemetry/otlp/resource.ts'
import type { Exporting, ExportSetting, Signal } from './telemetry/otlp/setting.ts'

type Settings = Pick<
  Config,
  'otlp-endpoint' | 'otlp-logs-endpoint' | 'otlp-metrics-endpoint' | 'otlp-signals' | 'otlp-headers' | 'otlp-compression' | 'otlp-ca-file'
>

/** What is exported where to, by the settings; undefined where nothing is. */
export function exportingOf(config: Settings, db: Kysely<Database>): Exporting | undefined {
  const endpoints = endpointsOf(config)
  if (Object.keys(endpoints).length === 0) return undefined
  const ca = config['otlp-ca-file'] === undefined ? undefined : readFileSync(config['otlp-ca-file'], 'utf8')
  const setting: ExportSetting = { endpoints, headers: config['otlp-headers'], compression: config['otlp-compression'], ca }
  return { setting, describe: (agents) => describeAgents(db, agents) }
}

// An address for one signal is taken as it is, as in OTEL_EXPORTER_OTLP_LOGS_ENDPOINT.
function endpointsOf(config: Settings): ExportSetting['endpoints'] {
  const base = config['otlp-endpoint']
  const addresses = config['otlp-signals'].flatMap((signal): [Signal, string][] => {
    const own = config[`otlp-${signal}-endpoint`]
    if (own !== undefined) return [[signal, own]]
    if (base === undefined) return []
    const address = new URL(base)
    address.pathname = `${address.pathname.replace(/\/+$/, '')}/v1/${signal}`
    return [[signal, address.href]]
  })
  return Object.fromEntries(addresses)
}

async function describeAgents(db: Kysely<Database>, ids: string[]): Promise<KnownAgent[]> {
  const known: KnownAgent[] = []
  for (const list of inLists(ids)) {
    const rows = await db.selectFrom('agents').select(['id', 'name', 'hostname', 'workspace_id']).where('id', 'in', list).execute()
    known.push(...rows.map(({ id, name, hostname, workspace_id }) => ({ id, name, hostname, workspaceId: workspace_id })))
  }
  return known
}
