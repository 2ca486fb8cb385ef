import type { AgentConfig, ConfigCertificate } from '@nxmesh/model/agent-config'
import type { ImportDifference } from '@nxmesh/model/import'
import { parseVersion } from '../facts.ts'
import { moduleWords } from '../module-directives.ts'
import { nameUpstreams } from '../render/upstream.ts'
import { render } from '../render.ts'
import { differencesOf } from './compare.ts'
import type { Imported } from './import.ts'
import { readSources, type Sources } from './includes.ts'
import { normalForm } from './normal-form.ts'
import { folderOf } from './path.ts'

const runtime = '/nxmesh'
const modules = ['ssl', 'v2', 'v3', 'stub_status'].map((module) => `--with-http_${module}_module`).join(' ')
const streams = '--with-stream --with-stream_ssl_module --with-stream_realip_module --with-mail'
const known = parseVersion(`nginx version: nginx/1.26.3\nbuilt with OpenSSL 3.0.0\nconfigure arguments: ${modules} ${streams}\n`)!
const loaded = Object.fromEntries([...Object.keys(moduleWords), 'brotli', 'brotli_static'].map((module) => [module, true]))
const facts = { ...known, supports: { ...known.supports, ...loaded } }

/**
 * Writes what was imported as an agent would, reads it as nginx would, and compares it with what was read before: every directive
 * that one says and the other does not, by block. What NxMesh needs for itself is not counted.
 */
export function differencesAfterImport(sources: Sources, imported: Imported): ImportDifference[] {
  const ids = imported.certificates.flatMap(({ certificate_id }) => certificate_id ?? [])
  const config: AgentConfig = {
    virtual_hosts: imported.virtual_hosts,
    ...(imported.stream_hosts.length > 0 && { stream_hosts: imported.stream_hosts }),
    upstreams: imported.upstreams,
    certificates: Object.fromEntries(ids.map((id) => [id, standIn(id)])),
    settings: imported.settings,
  }
  const rendered = render(config, { facts, mode: 'owned', digest: 'import', runtime_directory: runtime, ipv6: true })
  const files = new Map(rendered.files.filter(({ path }) => path.endsWith('.conf')).map(({ path, text }) => [`${runtime}/${path}`, text]))
  const again = readSources(files, `${runtime}/nginx.conf`)
  const blocks = nameUpstreams(imported.upstreams)
  const upstreams = new Map(
    imported.upstreams.flatMap(({ id, name }) =>
      [blocks.get(id)!.name, `${blocks.get(id)!.name}_stream`].map((block) => [block, name] as const),
    ),
  )
  const certificates = new Map(ids.map((id) => [`${runtime}/certificates/${id}.pem`, id]))
  const before = normalForm(sources.directives, {
    upstreams: new Map(),
    certificates: idsByPath(imported),
    folder: folderOf(sources.read[0] ?? '/'),
  })
  return withoutMoreTypes(differencesOf(before, normalForm(again.directives, { upstreams, certificates, folder: runtime })))
}

/** NxMesh's own media types are many, and stand in one line. */
function withoutMoreTypes(differences: ImportDifference[]): ImportDifference[] {
  const isType = ({ change, directive }: ImportDifference) => change === 'added' && directive.startsWith('types ')
  const more = differences.filter(isType)
  const others = differences.filter((difference) => !isType(difference))
  if (more.length === 0) return others
  return [...others, { context: more[0]!.context, change: 'added', directive: `types { ${more.length} more file name extensions }` }]
}

function idsByPath({ certificates }: Imported): Map<string, string> {
  return new Map(certificates.flatMap(({ path, certificate_id }) => (certificate_id === null ? [] : [[path, certificate_id] as const])))
}

/** The text of a certificate plays no part in what is compared. */
function standIn(id: string): ConfigCertificate {
  return { id, domain: '', certificate_pem: 'certificate', private_key_pem: 'key', expires_at: 0 }
}
