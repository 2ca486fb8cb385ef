import { join } from 'node:path'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import type { NginxFacts } from '@nxmesh/nginx/facts'
import { sharedOnTheWay, socketsOf } from '@nxmesh/nginx/shared-sockets'
import { type Generation, writeGeneration } from './generations.ts'
import { binaryOf } from './nginx.ts'
import { openTcpSockets } from './ports.ts'
import { renderFor } from './rendering.ts'
import type { Scope } from './scope.ts'
import { groupFor } from './worker-group.ts'

interface Way {
  generation: Generation
  /** What nginx was given before, whether or not it came to serve it. */
  before: Generation | undefined
  config?: AgentConfig
  facts?: NginxFacts
}

/**
 * Writes what a running nginx has to serve for a moment each before it can open the sockets of a generation, in that order: none
 * where it can open them at once. The digests are theirs alone, so that none is taken for the generation.
 */
export async function generationsOnTheWay(scope: Scope, way: Way, master: number): Promise<Generation[]> {
  const { generation, before } = way
  const { installation, ipv6, ledger, paths } = scope
  const wanted = tcpSocketsOf(generation, ipv6)
  const ours = new Set([...wanted, ...(before ? tcpSocketsOf(before, ipv6) : [])].map(({ port, address }) => `${address} ${port}`))
  const open = await openTcpSockets(master)
  // Those of the host's own servers stay as they are.
  const known = installation.mode === 'owned' ? open : open.filter(({ port, address }) => ours.has(`${address} ${port}`))
  const steps = sharedOnTheWay(known, wanted)
  const config = steps.length === 0 ? undefined : (way.config ?? (await ledger.configOf(generation.manifest.digest)))
  if (!config) return []
  const facts = way.facts ?? (await scope.factsOf(await binaryOf(master, installation.binary)))
  const written: Generation[] = []
  for (const [index, reuseport] of steps.entries()) {
    const { version } = generation.manifest
    const name = `${generation.name}.via-${index + 1}`
    const digest = `${generation.manifest.digest}-via-${index + 1}`
    const { files, listens, health } = renderFor(scope, { config, digest }, facts, join(paths.generations, name), reuseport)
    const group = await groupFor(scope, files)
    const content = { version, digest, files, listens, health, nginx_version: facts.version, group, on_the_way: true as const }
    written.push(await writeGeneration(paths, name, content))
  }
  return written
}

function tcpSocketsOf({ manifest }: Generation, ipv6: boolean) {
  return manifest.listens.filter(({ transport }) => transport === 'tcp').flatMap((listen) => socketsOf(listen, ipv6))
}
