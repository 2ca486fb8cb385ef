import { found, type LintFinding } from './finding.ts'
import { passesTo } from './passing.ts'
import type { Scope } from './scope.ts'
import type { Statement } from './statement.ts'

const rule = {
  severity: 'warning',
  code: 'try_files_with_proxy',
  source: 'https://nginx.org/en/docs/http/ngx_http_core_module.html#try_files',
} as const

/** `try_files` only chooses a URI. The location still decides what answers it, and here that is the upstream: no file is ever sent. */
export function tryFilesWithProxy(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings') return []
  return scope.locations.flatMap(({ statements }) => {
    const tries = statements.find(({ name, within }) => name === 'try_files' && within.length === 0)
    const passing = statements.find((each) => each.within.length === 0 && passesTo(each) !== undefined)
    if (!tries || !passing || guardsScripts(tries, passing)) return []
    const reason = 'files that are found are not sent: the location passes every request on, with the name of the file as its path'
    const fix = 'let this location serve files and end "try_files" in a named location, as "@app", that passes requests on'
    return [found(rule, scope.object, tries.field, reason, fix)]
  })
}

/** Whether it sees to it that the server of the scripts is asked for none that is not there. */
function guardsScripts({ args }: Statement, { name }: Statement): boolean {
  return name === 'fastcgi_pass' && args.at(-1)?.startsWith('=') === true
}
