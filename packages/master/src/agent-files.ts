import type { Finding } from '@nxmesh/model/agent'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import type { AgentDiff, AgentFiles, ConfigFile, FileDiff } from '@nxmesh/model/agent-files'
import { type ConfigObject, diffObjects } from '@nxmesh/model/object-diff'
import { withoutHashes } from '@nxmesh/model/options/auth-basic'
import { checksumOf, hashesOf } from '@nxmesh/nginx/render/file-hashes'
import { generationName } from '@nxmesh/nginx/render/target'
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff'
import { type MarkedNginx, readAgentConfig, renderOn, silent } from './agent-rendering.ts'
import type { Ctx } from './ctx.ts'
import type { Desired } from './rollout/desired.ts'

interface Fact {
  version: number
  digest: string
}

/** The files that an agent must serve and those that it serves, rendered here as the agent renders them. */
export async function getAgentConfig(ctx: Ctx, id: string): Promise<AgentFiles> {
  const { nginx, desired, applied } = await readAgentConfig(ctx, id)
  return {
    nginx: nginx?.installation ?? null,
    desired: desiredFiles(desired, nginx),
    applied: applied && appliedFiles({ ...applied, config: await applied.config() }, nginx),
  }
}

/** What leads from the files that an agent serves to those that it must serve. */
export async function diffAgentConfig(ctx: Ctx, id: string): Promise<AgentDiff> {
  const { row, nginx, desired, applied: told } = await readAgentConfig(ctx, id)
  const applied = told && { ...told, config: await told.config() }
  const [before, after] = [applied && appliedFiles(applied, nginx), desiredFiles(desired, nginx)]
  const known = applied === null ? [] : applied.config && objectsOf(row.workspace_id, applied.config)
  const old = before === null ? [] : before.files
  return {
    from: applied && { version: applied.version, digest: applied.digest },
    to: { version: desired.version, digest: desired.digest },
    objects: known ? diffObjects(known, objectsOf(row.workspace_id, desired.config())) : null,
    files: old && after.files && diffFiles(old, after.files),
    note: before?.note ?? after.note,
  }
}

function desiredFiles({ version, digest, config }: Desired, nginx: MarkedNginx | null): AgentFiles['desired'] {
  if (!nginx) return { version, digest, files: null, findings: [], note: silent }
  const { files, findings } = renderFor(nginx, config(), digest, generationName({ version, digest }))
  return { version, digest, files, findings, note: null }
}

function appliedFiles(
  { version, digest, config }: Fact & { config: AgentConfig | undefined },
  nginx: MarkedNginx | null,
): NonNullable<AgentFiles['applied']> {
  const unknown = (note: string) => ({ version, digest, files: null, matches_agent: null, note })
  if (!config) return unknown('what this digest stands for is not known here')
  if (!nginx) return unknown(silent)
  const { files, checksum } = renderFor(nginx, config, digest, nginx.generation)
  if (nginx.files_checksum === '') return { version, digest, files, matches_agent: null, note: null }
  if (nginx.files_checksum === checksum) return { version, digest, files, matches_agent: true, note: null }
  const note = 'the agent wrote other files for it: another release of the agent or of nginx rendered them, or it is changing them now'
  return { version, digest, files, matches_agent: false, note }
}

function renderFor(
  nginx: MarkedNginx,
  config: AgentConfig,
  digest: string,
  generation: string,
): { files: ConfigFile[]; findings: Finding[]; checksum: string } {
  const rendered = renderOn(nginx, config, digest, generation)
  const hashes = hashesOf(rendered.files)
  const files = rendered.files.map(({ path, text, mode: bits }) => {
    // Not everybody may read it: a private key, or passwords.
    const content = bits % 0o10 === 0 ? null : text
    return { path, mode: `0${bits.toString(8)}`, sha256: hashes[path]!, content }
  })
  return { files, findings: rendered.findings, checksum: checksumOf(hashes) }
}

function objectsOf(
  workspaceId: string,
  { virtual_hosts, stream_hosts = [], upstreams, certificates, settings }: AgentConfig,
): ConfigObject[] {
  return [
    ...virtual_hosts
      .map((host) => withoutHashes(host, true))
      .map(({ id, name, ...content }) => ({ kind: 'virtual_host' as const, id, name, content: { name, ...content } })),
    ...stream_hosts.map(({ id, name, ...content }) => ({ kind: 'stream_host' as const, id, name, content: { name, ...content } })),
    ...upstreams.map(({ id, name, ...content }) => ({ kind: 'upstream' as const, id, name, content: { name, ...content } })),
    ...Object.values(certificates).map(({ id, domain, private_key_pem: _key, ...content }) => ({
      kind: 'certificate' as const,
      id,
      name: domain,
      content,
    })),
    { kind: 'settings', id: workspaceId, name: 'settings', content: { ...settings } },
  ]
}

function diffFiles(before: ConfigFile[], after: ConfigFile[]): FileDiff[] {
  const [old, now] = [new Map(before.map((file) => [file.path, file])), new Map(after.map((file) => [file.path, file]))]
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((path): FileDiff[] => {
    const [was, is] = [old.get(path), now.get(path)]
    if (was?.sha256 === is?.sha256) return []
    const action = was ? (is ? 'changed' : 'removed') : 'added'
    const isSecret = was?.content === null || is?.content === null
    return [{ path, action, diff: isSecret ? null : unified(path, was?.content, is?.content) }]
  })
}

function unified(path: string, before: string | null | undefined, after: string | null | undefined): string {
  const name = (content: string | null | undefined, side: string) => (content === undefined ? '/dev/null' : `${side}/${path}`)
  return createTwoFilesPatch(name(before, 'a'), name(after, 'b'), before ?? '', after ?? '', undefined, undefined, {
    headerOptions: FILE_HEADERS_ONLY,
  })
}
