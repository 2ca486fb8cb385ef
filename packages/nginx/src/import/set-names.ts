import { capturedBy } from '../defined-names.ts'
import type { SourceDirective } from './source.ts'

const setting = /^(set|auth_request_set|set_by_lua.*)$/
const matching = new Set(['server_name', 'location', 'if', 'rewrite'])

/** The variables that a directive gives a value when a request comes to it. */
export function setBy({ name, args }: SourceDirective): string[] {
  if (setting.test(name)) return args.slice(0, 1)
  return matching.has(name) ? args.flatMap(capturedBy) : []
}

/**
 * A definition of a variable that is empty where nothing sets it, as nginx has one that is set in other servers alone. A server that does set
 * it has its own value: what is set goes before what is mapped. Source: nginx, ngx_http_rewrite_var and ngx_http_script_set_var_code.
 */
export function emptyVariable(name: string): string {
  return `map "" ${name} {\n    default "";\n}`
}
