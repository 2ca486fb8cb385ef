import { type Directive, parse } from './parse.ts'
import { print } from './print.ts'
import { quote } from './quote.ts'

export type Candidate = { ok: true; text: string } | { ok: false; message: string }

/**
 * Rewrites the host's own nginx.conf for a test run: our include line in its http block names the candidate, and the pid file is a
 * throw-away one, as `nginx -t` creates it. All else, line numbers included, stays. The result must be tested from a file in the
 * same folder as nginx.conf: nginx resolves relative includes against the folder of the main file.
 */
export function candidateOf(mainText: string, paths: { include: string; candidate: string; pid: string }): Candidate {
  const parsed = parse(mainText)
  if (!parsed.ok) return { ok: false, message: `nginx.conf cannot be read: ${parsed.message} in line ${parsed.line}` }
  const { tree } = parsed
  const includes = includesOf(tree.directives, paths.include)
  if (includes.length === 0) return { ok: false, message: missing(tree.directives, paths.include) }
  for (const directive of includes) directive.args[0]!.raw = quote(paths.candidate)
  const pid = tree.directives.find((directive) => directive.name === 'pid')
  if (pid?.args[0]) pid.args[0].raw = quote(paths.pid)
  return { ok: true, text: `${pid ? '' : `pid ${quote(paths.pid)}; `}${print(tree)}` }
}

/** Tells whether the http block of a host's nginx.conf includes this file. */
export function findInclude(mainText: string, path: string): boolean {
  const parsed = parse(mainText)
  return parsed.ok && includesOf(parsed.tree.directives, path).length > 0
}

function includesOf(directives: readonly Directive[], path: string): Directive[] {
  return directives
    .filter((directive) => directive.name === 'http' && directive.block?.kind === 'directives')
    .flatMap((http) => (http.block?.kind === 'directives' ? http.block.directives : []))
    .filter((directive) => directive.name === 'include' && directive.args.length === 1 && directive.args[0]!.value === path)
}

function missing(directives: readonly Directive[], path: string): string {
  const line = `include ${quote(path)};`
  const http = directives.find((directive) => directive.name === 'http')
  if (!http) return `nginx.conf has no http block: add one with the line "${line}" in it`
  return `nginx.conf does not include NxMesh's file: add the line "${line}" inside the http block that begins in line ${http.line}`
}
