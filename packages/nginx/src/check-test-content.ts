import type { Problem } from '@nxmesh/model/problem'
import { dataBlocks } from './data-blocks.ts'
import { reachesHost } from './directive-rules.ts'
import { type Directive, parse } from './parse.ts'

const files =
  /^(ssl_certificate|ssl_certificate_key|ssl_trusted_certificate|ssl_client_certificate|ssl_crl|ssl_dhparam|ssl_session_ticket_key|ssl_stapling_file|ssl_ech_file|quic_host_key|(proxy|grpc|uwsgi)_ssl_(certificate|certificate_key|trusted_certificate|crl|password_file|conf_command)|.*_cache_path|pid|lock_file|env|user|working_directory|zone_sync.*|state|daemon|master_process|error_log|access_log)$/

/**
 * Checks configuration text that somebody wants tested on an agent. `nginx -t` is no sandbox: it loads modules, runs code and
 * opens files as the user it runs as, so text that would make it do so is refused. The field is always `config_content`.
 */
export function checkTestContent(text: string): Problem[] {
  const parsed = parse(text)
  const field = 'config_content'
  if (!parsed.ok) return [{ field, message: `${parsed.message} in line ${parsed.line}, column ${parsed.column}`, code: 'INVALID_FORMAT' }]
  return [...refused(parsed.tree.directives)].map(({ name, line }) => ({
    field,
    message: `line ${line}: "${name}" is not allowed in a test: it runs code or reaches files of the host`,
    code: 'NOT_ALLOWED',
  }))
}

function* refused(top: readonly Directive[]): Generator<Directive> {
  // A stack of its own, as text from outside may be nested deeper than calls can be.
  const open: { directives: readonly Directive[]; data: boolean; next: number }[] = [{ directives: top, data: false, next: 0 }]
  for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
    const directive = level.directives[level.next++]
    if (!directive) {
      open.pop()
      continue
    }
    const { name, args, block } = directive
    const values = args.map(({ value }) => value)
    if (level.data ? name === 'include' : reaches(name, values) || block?.kind === 'lua') yield directive
    if (block?.kind === 'directives') open.push({ directives: block.directives, data: dataBlocks.has(name), next: 0 })
  }
}

function reaches(name: string, args: readonly string[]): boolean {
  if (reachesHost(name, args)) return true
  return files.test(name) && !((name === 'access_log' && args[0] === 'off') || (name === 'error_log' && args[0] === 'stderr'))
}
