import { join } from 'node:path'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { supportOf } from '@nxmesh/nginx/facts'
import type { Marks } from '@nxmesh/nginx/health-marks'
import { render } from '@nxmesh/nginx/render'
import type { Rendered, RenderTarget } from '@nxmesh/nginx/render/target'
import { readAgent } from './agents.ts'
import type { Ctx } from './ctx.ts'
import type { AgentRow } from './db/schema.ts'
import type { AgentNginx } from './link/health.ts'
import { appliedConfigOf } from './rollout/applied.ts'
import { type Desired, desiredOf, versionRunning } from './rollout/desired.ts'
import { serversIn } from './upstream-health.ts'

/** An agent's nginx with the servers that it is to leave out, as they fail the agent's checks. */
export type MarkedNginx = AgentNginx & { marks: Marks }

/** Why there are no files of an agent. */
export const silent = 'the agent does not say what nginx it has, so its files are not known here'

/** What an agent must serve and what it serves, with what is known of its nginx. */
export async function readAgentConfig(ctx: Ctx, id: string) {
  await ctx.agentWrites.flush(id)
  const row = await readAgent(ctx.db, id)
  const nginx = row.nginx === null ? null : nginxOf(row, JSON.parse(row.nginx) as AgentNginx)
  const desired = await desiredOf(ctx, row)
  const version = versionRunning(row, desired)
  const digest = row.applied_digest
  const applied = digest === null || version === null ? null : { version, digest, config: () => configWith(ctx, row, desired, digest) }
  return { row, nginx, desired, applied }
}

function nginxOf(row: AgentRow, nginx: AgentNginx): MarkedNginx {
  const marks: Record<string, string[]> = {}
  for (const { upstream_id, address, in_rotation } of serversIn(row)) if (!in_rotation) (marks[upstream_id] ??= []).push(address)
  // What an earlier release has kept says nothing of a resolver.
  return { ...nginx, installation: { ...nginx.installation, resolver: nginx.installation.resolver ?? '' }, marks }
}

async function configWith(ctx: Ctx, row: AgentRow, desired: Desired, digest: string) {
  return digest === desired.digest ? desired.config() : appliedConfigOf(ctx, row, digest)
}

/** Renders a config as the agent renders it. */
export function renderOn(nginx: MarkedNginx, config: AgentConfig, digest: string, generation: string): Rendered {
  return render(config, targetOn(nginx, digest, generation))
}

/** What an agent renders a config of this digest for. */
export function targetOn({ installation, marks, names, absent_addresses }: MarkedNginx, digest: string, generation: string): RenderTarget {
  const {
    mode,
    version,
    supports,
    modules = {},
    runtime_directory,
    generations_directory,
    ipv6,
    worker_user,
    resolver,
    access_log,
  } = installation
  return {
    facts: { version, supports: supportOf(supports), modules },
    mode,
    digest,
    runtime_directory,
    ipv6,
    marks,
    ...(names && { names }),
    ...(absent_addresses && { absent_addresses }),
    ...(resolver === '' ? {} : { resolver }),
    ...(worker_user === '' ? {} : { worker_user }),
    // An agent of an earlier release does not log requests, nor does it say so.
    ...(access_log ? { access_log } : {}),
    ...(mode === 'include' ? { directory: join(generations_directory, generation) } : {}),
  }
}
