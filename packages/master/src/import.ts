import { ApiError, invalid } from '@nxmesh/api/errors'
import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import { uncovered } from '@nxmesh/model/certificate-name'
import { isEqual } from '@nxmesh/model/field-changes'
import type { AgentImportInput, ImportInput, ImportProblem, ImportResult } from '@nxmesh/model/import'
import type { Problem } from '@nxmesh/model/problem'
import type { Settings } from '@nxmesh/model/settings'
import type { StreamHost } from '@nxmesh/model/stream-host'
import { targetTest } from '@nxmesh/model/target-agents'
import type { Upstream } from '@nxmesh/model/upstream'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import { checkSettings } from '@nxmesh/nginx/check'
import type { Allowed } from '@nxmesh/nginx/directive-rules'
import type { FindCertificate } from '@nxmesh/nginx/import/certificate-use'
import { splitDump } from '@nxmesh/nginx/import/dump'
import { importConfig } from '@nxmesh/nginx/import/import'
import { pathOf, readSources, type Sources } from '@nxmesh/nginx/import/includes'
import { mergeSettings } from '@nxmesh/nginx/import/merge-settings'
import { differencesAfterImport } from '@nxmesh/nginx/import/proof'
import { usualFile } from '@nxmesh/nginx/import/usual-files'
import type { Kysely } from 'kysely'
import type { Actor } from './access.ts'
import { labelsOfAgents, readAgent } from './agents.ts'
import { changeOf, tellIssued } from './certificates/install.ts'
import { insertRow, servedOf } from './certificates/row.ts'
import { type ConfigChange, changeConfig, unchanged } from './change.ts'
import { created } from './config-change.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import type { CertificateRow } from './db/schema-certificates.ts'
import type { Tx } from './db/transaction.ts'
import { insertDocument } from './documents.ts'
import { readHostConfig } from './host-config.ts'
import { conflictsAmong } from './host-conflicts.ts'
import { type BroughtCertificates, broughtCertificates } from './import-certificates.ts'
import { allowedIn } from './lua-allowed.ts'
import { settingsPortConflicts } from './mail-conflicts.ts'
import { hostPortConflicts, streamPortConflicts } from './port-conflicts.ts'
import { getSettings, writeSettings } from './settings.ts'
import { streamProblems } from './stream-hosts.ts'
import { uuidv7 } from './uuid.ts'
import { problemsOf } from './virtual-hosts.ts'

/**
 * Turns a configuration of nginx into objects of a workspace, all of them in one version, or none: what clashes with what is there
 * already refuses the whole. A dry run answers the same and writes nothing.
 */
export async function importWorkspace(ctx: Ctx, actor: Actor, workspaceId: string, input: ImportInput): Promise<ImportResult> {
  const files = new Map(Object.entries(input.files ?? {}))
  return importSources(ctx, actor, workspaceId, readInput(input), { ...input, files, target_agents: { type: 'all' } })
}

/** The same with what an agent's host has, for this agent alone. Throws like a command to the agent. */
export async function importFromAgent(ctx: Ctx, actor: Actor, agentId: string, input: AgentImportInput): Promise<ImportResult> {
  const { workspace_id } = await readAgent(ctx.db, agentId)
  const read = await readHostConfig(ctx, agentId)
  if (!read.ok) throw new ApiError('CONFLICT', `the configuration of the host cannot be imported: ${read.message}`)
  const { main, files, left_out } = read.config
  const sources = soundSources(readSources(new Map(Object.entries(files)), main), 'agent_id')
  const unread = left_out.map(
    (message): ImportProblem => ({ file: message.split(': ')[0]!, line: 1, column: 1, code: 'UNREADABLE_FILE', message }),
  )
  const target_agents = { type: 'agents' as const, agent_ids: [agentId] }
  return importSources(
    ctx,
    actor,
    workspace_id,
    { ...sources, problems: [...sources.problems, ...unread] },
    { ...input, files: new Map(), target_agents },
  )
}

interface How {
  certificates: ImportInput['certificates']
  dry_run: boolean
  /** Where the material of certificates is looked for. */
  files: ReadonlyMap<string, string>
  target_agents: VirtualHost['target_agents']
}

async function importSources(ctx: Ctx, actor: Actor, workspaceId: string, sources: Sources, how: How): Promise<ImportResult> {
  return changeConfig(ctx, actor, workspaceId, async (tx, config) => {
    const { db } = tx
    const allowed = await allowedIn(db, workspaceId)
    const mailObstacle = await mailObstacleIn(db, workspaceId, how)
    const { planned, created: newOnes } = plan(ctx, workspaceId, config, sources, { ...how, allowed, mailObstacle })
    await requireSoundTogether(
      db,
      workspaceId,
      { ...config, certificates: [...config.certificates, ...newOnes.map(servedOf)] },
      planned,
      allowed,
    )
    const changes = how.dry_run ? [] : [...(await writeCertificates(ctx, tx, newOnes)), ...(await write(db, workspaceId, config, planned))]
    const result = { ...planned, dry_run: how.dry_run, version: config.version + (changes.length > 0 ? 1 : 0) }
    if (changes.length === 0) return unchanged(result)
    const { name } = await db.selectFrom('workspaces').select('name').where('id', '=', workspaceId).executeTakeFirstOrThrow()
    const { virtual_hosts, stream_hosts, upstreams } = planned
    const counts = [`${virtual_hosts.length} virtual hosts`, ...(stream_hosts.length > 0 ? [`${stream_hosts.length} stream hosts`] : [])]
    if (newOnes.length > 0) counts.push(`${newOnes.length} certificates`)
    return {
      result,
      changes,
      summary: `imported ${counts.join(', ')} and ${upstreams.length} upstreams from a configuration of nginx`,
      deed: {
        object: { kind: 'workspace', id: workspaceId, name },
        before: { version: config.version },
        after: { version: config.version + 1, objects: changes.length, files: sources.read },
      },
    }
  })
}

/** Settings are for all agents, and mail servers of one host would open ports on the others. */
async function mailObstacleIn(
  db: Kysely<Database>,
  workspaceId: string,
  { target_agents }: Pick<How, 'target_agents'>,
): Promise<string | undefined> {
  if (target_agents.type === 'all') return undefined
  const others = (await labelsOfAgents(db, workspaceId)).some((agent) => !targetTest(target_agents)(agent))
  return others ? 'mail_directives of the settings would open its ports on the other agents of the workspace, too' : undefined
}

type Planned = Omit<ImportResult, 'dry_run' | 'version'>

/** The files with their includes; what nginx itself would not start with is refused. */
function readInput({ files, main = 'nginx.conf', dump }: ImportInput): Sources {
  const sources = files ? fromFiles(new Map(Object.entries(files)), main) : fromDump(dump ?? '')
  return soundSources(sources, files ? 'files' : 'dump')
}

function soundSources(sources: Sources, field: string): Sources {
  const broken = sources.problems.filter(({ code }) => code !== 'MISSING_FILE' && code !== 'BYTE_ORDER_MARK')
  if (broken.length === 0) return sources
  throw invalid(
    broken.map(({ file, line, column, message }) => ({
      field,
      message: `${file}, line ${line}, column ${column}: ${message}`,
      code: 'INVALID_FORMAT',
    })),
  )
}

function fromFiles(files: Map<string, string>, main: string): Sources {
  const paths = new Set([...files.keys()].map(pathOf))
  if (paths.has(pathOf(main))) return readSources(files, main, usualFile)
  throw invalid([{ field: 'main', message: `there is no file "${pathOf(main)}" among the files`, code: 'INVALID_VALUE' }])
}

function fromDump(text: string): Sources {
  const dump = splitDump(text)
  if (!dump.ok) throw invalid([{ field: 'dump', message: dump.message, code: 'INVALID_FORMAT' }])
  return readSources(dump.files, dump.main)
}

function plan(
  ctx: Ctx,
  workspace_id: string,
  config: WorkspaceConfig,
  sources: Sources,
  how: How & { allowed: Allowed; mailObstacle: string | undefined },
): { planned: Planned; created: CertificateRow[] } {
  const { allowed, mailObstacle } = how
  const brought = broughtCertificates(ctx, workspace_id, how.files, config.certificates)
  const newId = () => uuidv7(ctx.now())
  const imported = importConfig(sources, { newId, findCertificate: finder(config, how, brought), allowed, present: config, mailObstacle })
  const used = new Set([...imported.virtual_hosts, ...imported.stream_hosts].map(({ ssl_certificate_id }) => ssl_certificate_id))
  const created = [...brought.created.values()].filter(({ id }) => used.has(id))
  const differences = differencesAfterImport(sources, imported)
  const merged = mergeSettings(config.settings, imported.settings, imported.lines)
  const now = timestamp(ctx)
  const stored = { workspace_id, created_at: now, updated_at: now }
  const taken = new Set(config.upstreams.map(({ name }) => name))
  const planned = {
    virtual_hosts: imported.virtual_hosts.map((host): VirtualHost => ({ ...host, target_agents: how.target_agents, ...stored })),
    stream_hosts: imported.stream_hosts.map((host): StreamHost => ({ ...host, target_agents: how.target_agents, ...stored })),
    upstreams: imported.upstreams.map((upstream): Upstream => ({ ...upstream, name: freeName(upstream.name, taken), ...stored })),
    settings: merged.settings,
    certificates: imported.certificates.map((certificate) => {
      if (!brought.created.has(certificate.certificate_id ?? '')) return certificate
      // One that no host needs in the end is not made.
      return used.has(certificate.certificate_id) ? { ...certificate, created: true } : { ...certificate, certificate_id: null }
    }),
    equal: differences.length === 0,
    differences,
    problems: [...sources.problems, ...brought.problems],
    lines: merged.lines,
  }
  return { planned, created }
}

/** A certificate for a path: the one that was named for it, the one that the files hold, or else the first of the workspace that is for all the names. */
function finder({ certificates }: WorkspaceConfig, how: Pick<How, 'certificates'>, brought: BroughtCertificates): FindCertificate {
  const named = new Map(Object.entries(how.certificates).map(([path, id]) => [pathOf(path), { path, id }]))
  const known = new Set(certificates.map(({ id }) => id))
  const problems: Problem[] = [...named.values()]
    .filter(({ id }) => !known.has(id))
    .map(({ path }) => ({ field: `certificates.${path}`, message: 'no such certificate in this workspace', code: 'UNKNOWN_REFERENCE' }))
  if (problems.length > 0) throw invalid(problems)
  return (path, names, keyPath) => {
    const own = named.get(path)?.id
    if (own !== undefined) return own
    const found = brought.find(path, names, keyPath)
    if (typeof found === 'object' && found.id !== undefined) return found
    const other = names.length === 0 ? undefined : certificates.find((certificate) => uncovered(names, certificate.names).length === 0)
    return other?.id ?? found
  }
}

function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted
  for (let copy = 2; taken.has(name); copy++) name = `${wanted.slice(0, 190)} (${copy})`
  taken.add(name)
  return name
}

async function requireSoundTogether(
  db: Kysely<Database>,
  workspaceId: string,
  config: WorkspaceConfig,
  planned: Planned,
  allowed: Allowed,
): Promise<void> {
  const agents = await labelsOfAgents(db, workspaceId)
  const agentIds = new Set(agents.map(({ id }) => id))
  const { virtual_hosts, stream_hosts, upstreams, settings } = planned
  const then: WorkspaceConfig = {
    ...config,
    virtual_hosts: [...config.virtual_hosts, ...virtual_hosts],
    stream_hosts: [...config.stream_hosts, ...stream_hosts],
    upstreams: [...config.upstreams, ...upstreams],
    settings,
  }
  const under = (prefix: string, problems: Problem[]) => problems.map((problem) => ({ ...problem, field: `${prefix}.${problem.field}` }))
  const problems = [
    ...virtual_hosts.flatMap((host, at) => under(`virtual_hosts.${at}`, problemsOf(then, host, agentIds, allowed))),
    ...stream_hosts.flatMap((host, at) => under(`stream_hosts.${at}`, streamProblems(then, host, agentIds))),
    ...under('settings', checkSettings(settings, allowed)),
  ]
  if (problems.length > 0) throw invalid(problems)
  const conflicts = conflictsAmong(then, virtual_hosts, agents)
  if (conflicts.length > 0) throw new ApiError('CONFLICT', 'virtual hosts would claim the same name and port', conflicts)
  const ports = [
    ...virtual_hosts.flatMap((host, at) => under(`virtual_hosts.${at}`, hostPortConflicts(then, host, agents))),
    ...stream_hosts.flatMap((host, at) => under(`stream_hosts.${at}`, streamPortConflicts(then, host, agents))),
    ...under('settings', settingsPortConflicts(then)),
  ]
  if (ports.length > 0) throw new ApiError('CONFLICT', 'hosts would have the same port', ports)
}

/** Writes the certificates that the files brought. */
async function writeCertificates(ctx: Ctx, tx: Tx, rows: readonly CertificateRow[]): Promise<ConfigChange[]> {
  const changes: ConfigChange[] = []
  for (const row of rows) {
    await insertRow(tx.db, row)
    tellIssued(ctx, tx, row, false)
    changes.push(...changeOf(null, row, 'requested').changes)
  }
  if (rows.length > 0) tx.onCommit(() => ctx.wake('certificates'))
  return changes
}

async function write(db: Kysely<Database>, workspaceId: string, config: WorkspaceConfig, planned: Planned): Promise<ConfigChange[]> {
  const { upstreams, virtual_hosts, stream_hosts, settings } = planned
  const changes: ConfigChange[] = []
  for (const upstream of upstreams) {
    await insertDocument(db, 'upstreams', upstream)
    changes.push(...created('upstream', upstream).changes)
  }
  for (const host of virtual_hosts) {
    await insertDocument(db, 'virtual_hosts', host)
    changes.push(...created('virtual_host', host).changes)
  }
  for (const host of stream_hosts) {
    await insertDocument(db, 'stream_hosts', host)
    changes.push(...created('stream_host', host).changes)
  }
  return [...changes, ...(await changeSettings(db, workspaceId, config.settings, settings))]
}

async function changeSettings(db: Kysely<Database>, id: string, before: Settings, after: Settings): Promise<ConfigChange[]> {
  if (isEqual(before, after)) return []
  const { revision } = await getSettings({ db }, id)
  await writeSettings(db, id, after, revision)
  return [{ kind: 'settings', id, name: 'settings', action: 'changed', before, after }]
}
