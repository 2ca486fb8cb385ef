import { found, type LintFinding } from './finding.ts'
import { passesTo } from './passing.ts'
import { type Scope, statementsOf } from './scope.ts'
import type { Statement } from './statement.ts'
import { holdingLineBreaks } from './variables.ts'

const rule = {
  severity: 'error',
  code: 'http_splitting',
  source: 'https://github.com/yandex/gixy/blob/master/docs/en/plugins/httpsplitting.md',
} as const

/** nginx decodes the URI, `%0d%0a` included, and writes the value of a variable into headers and request lines as it is. */
export function httpSplitting(scope: Scope): LintFinding[] {
  return [...statementsOf(scope)].flatMap(({ statement, location }) => {
    const text = writtenInHead(statement)
    if (text === undefined) return []
    const [name] = holdingLineBreaks(text, { scope, statement, ...(location && { location }) })
    if (name === undefined) return []
    const isUri = name === 'uri' || name === 'document_uri'
    const where = statement.name.startsWith('proxy_') ? 'to the request that the upstream gets' : 'to the answer'
    const reason = `holds $${name}, which is decoded: an encoded line break in a request adds header lines ${where}`
    const fix = isUri ? 'use $request_uri' : `let the group take no line break, as in ([^/\\s]+), or use $request_uri`
    return [found(rule, scope.object, statement.field, reason, fix)]
  })
}

/** What a statement writes into the head of a message without encoding it. */
function writtenInHead(statement: Statement): string | undefined {
  const { name, args } = statement
  switch (name) {
    case 'return':
      return redirectOf(args)
    case 'rewrite': {
      const [, replacement = '', flag] = args
      // Groups of its own are encoded again when it redirects, variables are not.
      const redirects = flag === 'redirect' || flag === 'permanent' || /^(https?:\/\/|\$scheme)/.test(replacement)
      return redirects ? replacement.replace(/\$\d/g, '') : undefined
    }
    case 'add_header':
    case 'add_trailer':
    case 'proxy_set_header':
    case 'grpc_set_header':
      return args[1]
    case 'proxy_pass':
      return passesTo(statement) && args[0]
    default:
      return undefined
  }
}

function redirectOf([first = '', second]: readonly string[]): string | undefined {
  if (second === undefined) return /^\d+$/.test(first) ? undefined : first
  return /^30[12378]$/.test(first) ? second : undefined
}
