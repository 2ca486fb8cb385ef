import { setTimeout as delay } from 'node:timers/promises'
import type { AgentHealth } from '@nxmesh/model/agent'
import type { AlertCondition, AlertMetric } from '@nxmesh/model/alert-rule'
import { targetTest } from '@nxmesh/model/target-agents'
import { type Kysely, sql } from 'kysely'
import type { AgentAlert } from '../agent-events.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import { inLists } from '../db/in-list.ts'
import type { AgentRow, Database } from '../db/schema.ts'
import type { AlertRow, AlertRuleRow } from '../db/schema-events.ts'
import { begin, type Tx } from '../db/transaction.ts'
import { tell } from '../events/outbox.ts'
import type { Reconciler } from '../reconcilers.ts'
import { desiredIn, labelsOf } from '../rollout/desired.ts'
import type { AgentRates } from '../telemetry/query.ts'
import { uuidv7 } from '../uuid.ts'
import type { ServedCertificate } from './judge.ts'
import { agentAlertOf, resolvedEvent } from './row.ts'
import { type Transition, transitionsOf } from './transitions.ts'
import { readWaiting, stopWaiting, wait } from './waits.ts'

export interface Rule {
  row: AlertRuleRow
  condition: AlertCondition
  isFor: ReturnType<typeof targetTest>
}

const agentColumns = [
  'id',
  'workspace_id',
  'capability',
  'connected',
  'state',
  'registered_at',
  'last_seen_at',
  'config_status',
  'config_error',
  'drift',
  'health',
  'alerts',
  'token_labels',
  'reported_labels',
  'central_labels',
] as const

type Agent = Pick<AgentRow, (typeof agentColumns)[number]>

const shortestPause = 1000
// Of the time that a run took: with many agents it must not be all that the master does.
const pausePerRun = 10
const perTransaction = 200
const perTurn = 200
const fromStore: ReadonlySet<AlertMetric> = new Set(['server_error_percent', 'response_time_p99_ms', 'log_lines_dropped'])

/**
 * Holds the rules against the agents that this master is to judge: those that are connected to it, whose telemetry it has, and those that are
 * connected to nobody. Several masters may find the same of the latter: an agent has one active alert of each rule.
 */
export function alertsReconciler(ctx: Ctx): Reconciler {
  const started = ctx.now()
  let next = 0
  return {
    name: 'alerts',
    every: 5000,
    async run(signal) {
      // Woken by each change of an agent, of which there may be thousands a second.
      const begun = await until(next, signal)
      const agents = await agentsToJudge(ctx)
      const rules = await readRules(ctx, agents)
      const active = await readActive(ctx, agents)
      const waiting = await readWaiting(
        ctx,
        agents.map(({ id }) => id),
      )
      const rates = await ratesOf(ctx, agents, rules)
      const certificates = await certificatesOf(ctx, agents, rules)
      const changes: { agent: Agent; transition: Transition }[] = []
      for (const [index, agent] of agents.entries()) {
        const own = (rules.get(agent.workspace_id) ?? []).filter(({ isFor }) => isFor({ id: agent.id, labels: labelsOf(agent) }))
        const place = {
          subject: subjectOf(agent, rates, certificates.get(agent.id) ?? []),
          rules: own,
          active: active.get(agent.id) ?? [],
          waiting: waiting.get(agent.id) ?? new Map(),
        }
        for (const transition of transitionsOf(place, ctx.now(), started)) changes.push({ agent, transition })
        if (index % perTurn === perTurn - 1) await delay(0)
      }
      for (let from = 0; from < changes.length; from += perTransaction) {
        await begin(ctx.db, async (tx) => {
          for (const { agent, transition } of changes.slice(from, from + perTransaction)) await write(ctx, tx, agent, transition)
        })
      }
      const ended = performance.now()
      next = Math.max(begun + shortestPause, ended + pausePerRun * (ended - begun))
      return { agents: agents.length, changes: changes.length }
    },
  }
}

async function until(moment: number, signal: AbortSignal): Promise<number> {
  const left = moment - performance.now()
  if (left > 0) await delay(left, undefined, { signal })
  return performance.now()
}

async function readRules({ db }: Ctx, agents: readonly Agent[]): Promise<Map<string, Rule[]>> {
  const rows: AlertRuleRow[] = []
  for (const ids of inLists(new Set(agents.map(({ workspace_id }) => workspace_id)))) {
    rows.push(...(await db.selectFrom('alert_rules').selectAll().where('workspace_id', 'in', ids).where('enabled', '=', 1).execute()))
  }
  const rules = rows.map((row): Rule => {
    const { label_selector } = row
    return { row, condition: JSON.parse(row.condition), isFor: targetTest({ type: 'selector', label_selector }) }
  })
  return Map.groupBy(rules, ({ row }) => row.workspace_id)
}

function agentsToJudge({ db, masterId }: Ctx): Promise<Agent[]> {
  return db
    .selectFrom('agents')
    .select(agentColumns)
    .where('registered_at', 'is not', null)
    .where((eb) => eb.or([eb('connected', '=', 0), eb('master_id', '=', masterId)]))
    .orderBy('id')
    .execute()
}

async function readActive({ db }: Ctx, agents: readonly Agent[]): Promise<Map<string, AlertRow[]>> {
  const rows: AlertRow[] = []
  for (const ids of inLists(agents.map(({ id }) => id))) {
    // In so many words, for the index is one of active rows alone.
    rows.push(...(await db.selectFrom('alerts').selectAll().where('agent_id', 'in', ids).where('active', '=', sql.lit(1)).execute()))
  }
  return Map.groupBy(rows, ({ agent_id }) => agent_id)
}

/** What agents served, by the length of each window that a rule looks at. While the store is away, nothing is known of it. */
async function ratesOf(ctx: Ctx, agents: readonly Agent[], rules: Map<string, Rule[]>): Promise<Map<string, Map<number, AgentRates>>> {
  const found = new Map<string, Map<number, AgentRates>>()
  if (ctx.telemetry.status().state !== 'ready') return found
  const ids = agents.filter(({ connected }) => connected === 1).map(({ id }) => id)
  const conditions = [...rules.values()]
    .flat()
    .flatMap(({ condition }) => (condition.kind === 'metric' && fromStore.has(condition.metric) ? [condition] : []))
  const windows = Map.groupBy(conditions, ({ window_seconds }) => window_seconds)
  for (const [seconds, asking] of windows) {
    const scope = { from: ctx.now() - seconds * 1000, to: ctx.now() + 60_000, agents: ids }
    const withTimes = asking.some(({ metric }) => metric === 'response_time_p99_ms')
    const rates = JSON.parse(await ctx.telemetry.ask({ kind: 'rates', scope, withTimes })) as AgentRates[]
    for (const id of ids)
      found.set(id, (found.get(id) ?? new Map()).set(seconds, { agent: id, requests: 0, server_errors: 0, dropped: 0, p99: null }))
    for (const rate of rates) found.get(rate.agent)?.set(seconds, rate)
  }
  return found
}

function subjectOf(agent: Agent, rates: Map<string, Map<number, AgentRates>>, certificates: ServedCertificate[]) {
  const health = agent.health === null ? null : (JSON.parse(agent.health) as AgentHealth)
  return { agent, health, warnings: JSON.parse(agent.alerts) as AgentAlert[], rates: rates.get(agent.id) ?? new Map(), certificates }
}

/** What each agent serves, or is to serve, in the workspaces where a rule asks for it. */
async function certificatesOf(ctx: Ctx, agents: readonly Agent[], rules: Map<string, Rule[]>): Promise<Map<string, ServedCertificate[]>> {
  const found = new Map<string, ServedCertificate[]>()
  for (const [workspaceId, own] of Map.groupBy(agents, ({ workspace_id }) => workspace_id)) {
    if (!rules.get(workspaceId)?.some(({ condition }) => asksForCertificates(condition))) continue
    const issued = await ctx.db
      .selectFrom('certificates')
      .select(['id', 'name', 'not_before', 'expires_at'])
      .where('workspace_id', '=', workspaceId)
      .where('expires_at', 'is not', null)
      .execute()
    if (issued.length === 0) continue
    const byId = new Map(
      issued.map(({ id, name, not_before, expires_at }) => [
        id,
        { name, notBefore: Date.parse(not_before!), notAfter: Date.parse(expires_at!) },
      ]),
    )
    const find = await desiredIn(ctx, workspaceId)
    for (const agent of own)
      found.set(
        agent.id,
        (find?.(agent).certificateIds ?? []).flatMap((id) => byId.get(id) ?? []),
      )
  }
  return found
}

function asksForCertificates(condition: AlertCondition): boolean {
  return condition.kind === 'state' ? condition.state === 'certificate_expiring' : condition.metric === 'certificate_days_left'
}

async function write(ctx: Ctx, tx: Tx, agent: Agent, transition: Transition): Promise<void> {
  const at = timestamp(ctx)
  switch (transition.kind) {
    case 'open':
      return open(ctx, tx, agent, transition)
    case 'update':
      await tx.db
        .updateTable('alerts')
        .set({ ...transition.changes, updated_at: at })
        .where('id', '=', transition.row.id)
        .where('active', '=', 1)
        .execute()
      return
    case 'end':
      return end(ctx, tx, transition)
    case 'wait':
      if (await isThere(tx.db, agent.id, transition.rule_id)) await wait(tx.db, agent.id, transition.rule_id, at)
      return
    case 'stop waiting':
      return stopWaiting(tx.db, agent.id, transition.rule_id)
    default:
      transition satisfies never
  }
}

async function open(
  ctx: Ctx,
  { db, ...tx }: Tx,
  agent: Agent,
  { kind: _kind, ...facts }: Extract<Transition, { kind: 'open' }>,
): Promise<void> {
  const at = timestamp(ctx)
  const { id: agent_id, workspace_id } = agent
  if (!(await isThere(db, agent_id, facts.rule_id))) return
  const none = { acknowledged_at: null, acknowledged_by: null, resolved_at: null, resolved_by: null }
  const row: AlertRow = { id: uuidv7(ctx.now()), workspace_id, agent_id, ...facts, active: 1, opened_at: at, updated_at: at, ...none }
  // Another master may have been first.
  const made = await db
    .insertInto('alerts')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst()
  // What an agent itself warns of has been told with the report that brought it.
  if (!made || agentAlertOf(row) !== null) return
  const { id, severity, message, metric, value } = row
  tell(ctx, tx, workspace_id, 'health.alert', { agent_id, alert_id: id, severity, message, metric: metric ?? '', value: value ?? 0 })
}

// The agent or the rule may have been deleted since they were read.
async function isThere(db: Kysely<Database>, agentId: string, ruleId: string | null): Promise<boolean> {
  const agent = await db.selectFrom('agents').select('id').where('id', '=', agentId).executeTakeFirst()
  if (!agent || ruleId === null) return agent !== undefined
  return (await db.selectFrom('alert_rules').select('id').where('id', '=', ruleId).executeTakeFirst()) !== undefined
}

async function end(ctx: Ctx, { db, ...tx }: Tx, { row, value }: Extract<Transition, { kind: 'end' }>): Promise<void> {
  const ended = await db
    .updateTable('alerts')
    .set({ active: 0 })
    .where('id', '=', row.id)
    .where('active', '=', 1)
    .returningAll()
    .executeTakeFirst()
  if (!ended || ended.resolved_at !== null) return
  const at = timestamp(ctx)
  await db.updateTable('alerts').set({ resolved_at: at, updated_at: at }).where('id', '=', row.id).execute()
  tell(ctx, tx, row.workspace_id, 'alert.resolved', resolvedEvent(ended, value))
}
