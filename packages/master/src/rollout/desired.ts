import { ApiError } from '@nxmesh/api/errors'
import { type AgentConfig, agentConfig, filterHosts, usedCertificates, type WorkspaceConfig } from '@nxmesh/model/agent-config'
import { digestOf } from '@nxmesh/model/digest'
import { effectiveLabels, type Labels } from '@nxmesh/model/labels'
import { type AnsweredNames, answeredNames } from '../certificates/answered-names.ts'
import type { Ctx } from '../ctx.ts'
import type { AgentRow } from '../db/schema.ts'
import { configFrame } from '../link/frames.ts'
import type { Secrets } from '../secrets.ts'
import { loadWorkspaceConfig } from '../workspace-config.ts'
import { type Targets, targetsOf } from './targets.ts'
import { givenSince, type Need, needsOf, newestNeed } from './understood.ts'

/** What an agent must run. Agents that must run the same share this object, and so its digest and its encoded message. */
export interface Desired {
  version: number
  digest: string
  /** The config itself, made anew each time: it holds private keys, which nothing keeps. */
  config: () => AgentConfig
  /** Those that its hosts use. */
  certificateIds: readonly string[]
  /** What is answered of HTTP-01 challenges, found out once. */
  answered(): AnsweredNames
  /** What it is without, as the agent's release does not know it: a sentence, or null. */
  leftOut: string | null
  /** What it asks for that not every agent knows. */
  needs(): readonly Need[]
  /** Names this config to an agent. */
  configId: string
  /** The config as a message ready for the wire, encoded once. */
  frame(): Buffer
}

interface Version {
  config: WorkspaceConfig
  targets: Targets
  byAgentKey: Map<string, Desired>
  byMatching: Map<string, Desired>
  /** For hosts that not every agent is given: the capability from which on one is. Found out when the first agent of an older release asks. */
  givenSince?: Map<object, number>
}

/** What was computed for the present version of each workspace. */
export type DesiredMemory = Map<string, Version>

type Labelled = Pick<AgentRow, 'id' | 'workspace_id' | 'capability' | 'token_labels' | 'reported_labels' | 'central_labels'>

/** What an agent must run now; throws NOT_FOUND when its workspace is gone. */
export async function desiredOf(ctx: Ctx, row: Labelled): Promise<Desired> {
  const find = await desiredIn(ctx, row.workspace_id)
  if (!find) throw new ApiError('NOT_FOUND', 'agent not found')
  return find(row)
}

/** Finds what agents of a workspace must run at its present version, or undefined when there is no such workspace. */
export async function desiredIn(ctx: Ctx, workspaceId: string): Promise<((row: Labelled) => Desired) | undefined> {
  const config = await loadWorkspaceConfig(ctx.db, workspaceId, ctx.workspaceConfigs)
  if (!config) {
    ctx.desired.delete(workspaceId)
    return undefined
  }
  const version = versionOf(ctx.desired, workspaceId, config)
  return (row) => find(ctx.secrets, version, workspaceId, row, labelsOf(row))
}

/** The newest version that an agent is known to run: what it applied, or the present one when that asks for the same. */
export function versionRunning(row: Pick<AgentRow, 'applied_version' | 'applied_digest'>, desired: Desired): number | null {
  return row.applied_digest === desired.digest ? desired.version : row.applied_version
}

/** The labels that decide what an agent must run. */
export function labelsOf(row: Pick<Labelled, 'token_labels' | 'reported_labels' | 'central_labels'>): Labels {
  return effectiveLabels(JSON.parse(row.token_labels), JSON.parse(row.reported_labels), JSON.parse(row.central_labels))
}

/** What names the config of a version to agents. */
export function configIdOf(workspaceId: string, version: number): string {
  return `${workspaceId}:${version}`
}

function versionOf(memory: DesiredMemory, workspaceId: string, config: WorkspaceConfig): Version {
  const known = memory.get(workspaceId)
  if (known?.config === config) return known
  const version = { config, targets: targetsOf(config), byAgentKey: new Map(), byMatching: new Map() }
  memory.set(workspaceId, version)
  return version
}

function find(secrets: Secrets, version: Version, workspaceId: string, agent: Labelled, labels: Labels): Desired {
  const release = isGivenAll(version, agent.capability) ? 'any' : agent.capability
  const key = `${release} ${version.targets.keyOf(agent.id, labels)}`
  const known = version.byAgentKey.get(key)
  if (known) return known
  const matching = version.targets.matching({ id: agent.id, labels })
  let desired = version.byMatching.get(`${release} ${matching}`)
  if (!desired) {
    desired = compute(secrets, version, workspaceId, { matching, capability: agent.capability })
    version.byMatching.set(`${release} ${matching}`, desired)
  }
  version.byAgentKey.set(key, desired)
  return desired
}

function isGivenAll(version: Version, capability: number): boolean {
  return (
    capability >= newestNeed ||
    !sinceIn(version)
      .values()
      .some((since) => capability < since)
  )
}

function sinceIn(version: Version): Map<object, number> {
  version.givenSince ??= givenSince(version.config)
  return version.givenSince
}

function compute(
  { open }: Secrets,
  version: Version,
  workspaceId: string,
  { matching, capability }: { matching: string; capability: number },
): Desired {
  const { config, targets } = version
  const meant = targets.hostsOf(matching)
  const isGiven = (host: object) => capability >= (sinceIn(version).get(host) ?? 0)
  const hosts = capability >= newestNeed ? meant : filterHosts(meant, isGiven)
  const certificateIds = [...usedCertificates(hosts)]
  const wanted = () => agentConfig(config, hosts, open)
  const digest = digestOf(wanted())
  const configId = configIdOf(workspaceId, config.version)
  let frame: Buffer | undefined
  let answered: AnsweredNames | undefined
  let needs: Need[] | undefined
  return {
    version: config.version,
    digest,
    certificateIds,
    config: wanted,
    configId,
    leftOut: hosts === meant ? null : leftOutOf([...meant.virtual_hosts, ...meant.stream_hosts].filter((host) => !isGiven(host))),
    answered() {
      answered ??= answeredNames(agentConfig(config, hosts, () => ''))
      return answered
    },
    needs() {
      needs ??= needsOf({ ...meant, settings: config.settings })
      return needs
    },
    frame() {
      frame ??= configFrame({ configId, version: config.version, digest, config: wanted() })
      return frame
    },
  }
}

function leftOutOf(hosts: readonly { name: string }[]): string | null {
  const [first, ...others] = hosts
  if (!first) return null
  const more = others.length > 0 ? ` and ${others.length} more are` : ' is'
  return `"${first.name}"${more} left out: this release of the agent does not know what is asked for`
}
