import { aliasOf, documentRoot, fileFor } from './disk.ts'
import { plainPath } from './escape.ts'
import { inherited, isOn } from './level.ts'
import type { Node } from './read-config.ts'
import { expand } from './template.ts'
import { Unsure } from './unsure.ts'
import { note, type Visit } from './visit.ts'

/** What the last phases make of a request. */
export type Content =
  | { kind: 'status'; status: number; node: Node | undefined }
  | { kind: 'redirect'; status: number; location: string; node: Node | undefined }
  | { kind: 'internal'; uri: string; args: string; node: Node | undefined }
  | { kind: 'named'; name: string; node: Node }
  | { kind: 'file' | 'listing'; path: string; node: Node | undefined }
  | { kind: 'handler'; node: Node }

/** Looks for the files of `try_files`, which no block inherits; undefined where the request goes on. Source: nginx, ngx_http_try_files_handler. */
export function tryFiles(visit: Visit): Content | undefined {
  if (visit.level.kind !== 'location' && visit.level.kind !== 'server') return undefined
  const node = visit.level.children.find(({ name }) => name === 'try_files')
  if (!node) return undefined
  const alias = aliasOf(visit.level)
  if (alias && !visit.locationHolds) return { kind: 'status', status: 500, node }
  const taken = alias && !alias.isRegex ? visit.uri.slice(0, alias.name.length) : ''
  // What begins as the path of the location loses that, but only where it was put together from variables.
  const valueOf = (written: string) => {
    const value = expand(visit, written, node)
    return written.includes('$') && value.startsWith(taken) ? value.slice(taken.length) : value
  }
  const fallback = node.args.at(-1)!
  for (const wanted of node.args.slice(0, -1)) {
    const isFolder = wanted.endsWith('/')
    const value = valueOf(isFolder ? wanted.slice(0, -1) : wanted)
    const path = documentRoot(visit) + value
    const found = lookUp(visit, path)
    if (found === 'unknown') visit.assumptions.push(`${path}${isFolder ? '/' : ''} is not on the host`)
    if (found !== (isFolder ? 'directory' : 'file')) {
      note(visit, 'try_files', `there is no ${isFolder ? 'folder' : 'file'} ${path}`, node)
      continue
    }
    if (!alias?.isRegex) visit.uri = taken + value
    else if (!isFolder) Object.assign(visit, { uri: value, uriAfterAlias: true })
    note(visit, 'try_files', `${path} is there: the URI is "${visit.uri}"`, node)
    return undefined
  }
  if (fallback.startsWith('=')) {
    note(visit, 'try_files', `answers ${fallback.slice(1)}`, node)
    return { kind: 'status', status: Number(fallback.slice(1)), node }
  }
  const target = valueOf(fallback)
  note(visit, 'try_files', `goes on with "${target}"`, node)
  if (target.startsWith('@')) return { kind: 'named', name: target, node }
  const question = target.indexOf('?')
  const [uri, args] = question === -1 ? [target, ''] : [target.slice(0, question), target.slice(question + 1)]
  // nginx then looks at the byte before it.
  if (uri === '') throw new Unsure('what nginx makes of an empty URI', node)
  return { kind: 'internal', uri, args, node }
}

/** Who answers: a directive that hands the request on, or files. */
export function contentOf(visit: Visit): Content {
  if (visit.handler) return { kind: 'handler', node: visit.handler }
  const node = inherited(visit.level, 'root', 'alias').at(-1)
  if (!readable.has(visit.method)) return { kind: 'status', status: 405, node }
  // nginx no longer knows which part of the path the alias stands for.
  if (aliasOf(visit.level) && !visit.locationHolds) return { kind: 'status', status: 500, node }
  return visit.uri.endsWith('/') ? folderContent(visit, node) : fileContent(visit, node)
}

const readable = new Set(['GET', 'HEAD', 'POST'])

function folderContent(visit: Visit, node: Node | undefined): Content {
  const index = inherited(visit.level, 'index').flatMap((directive) => directive.args.map((name) => ({ name, directive })))
  const names = index.length > 0 ? index : [{ name: 'index.html', directive: undefined }]
  const folder = fileFor(visit, visit.uri)
  for (const { name, directive } of names) {
    const file = expand(visit, name, directive)
    if (file.startsWith('/')) return { kind: 'internal', uri: file, args: visit.args, node: directive }
    const found = lookUp(visit, folder + file)
    if (found === 'unknown') visit.assumptions.push(`${folder}${file} is on the host`)
    if (found !== 'none') {
      note(visit, 'index', `${folder}${file} is the index of this folder`, directive)
      return { kind: 'internal', uri: visit.uri + file, args: visit.args, node: directive }
    }
    const there = lookUp(visit, folder)
    // An alias without a final slash may name a file.
    if (there === 'file') return { kind: 'status', status: 500, node }
    if (there === 'none') {
      note(visit, 'index', `there is no folder ${folder}: 404`, node)
      return { kind: 'status', status: 404, node }
    }
  }
  if (isOn(visit.level, 'random_index', false)) throw new Unsure('which file random_index takes', node)
  const lists = isOn(visit.level, 'autoindex', false) && visit.method !== 'POST'
  if (lists) return { kind: 'listing', path: folder, node: inherited(visit.level, 'autoindex').at(-1) }
  note(visit, 'index', `${folder} has no index file: 403`, node)
  return { kind: 'status', status: 403, node }
}

function fileContent(visit: Visit, node: Node | undefined): Content {
  const path = fileFor(visit, visit.uri)
  const found = lookUp(visit, path)
  switch (found) {
    case 'none':
      note(visit, 'file', `there is no file ${path}: 404`, node)
      return { kind: 'status', status: 404, node }
    case 'directory': {
      const location = `${plainPath(visit.uri)}/${visit.args === '' ? '' : `?${visit.args}`}`
      note(visit, 'file', `${path} is a folder: the request is sent to "${location}"`, node)
      return { kind: 'redirect', status: 301, location, node }
    }
    case 'unknown':
      visit.assumptions.push(`${path} is a file on the host`)
      break
    case 'file':
      break
    default:
      found satisfies never
  }
  if (visit.method === 'POST') return { kind: 'status', status: 405, node }
  note(visit, 'file', `the file ${path} is sent`, node)
  return { kind: 'file', path, node }
}

function lookUp(visit: Visit, path: string): 'file' | 'directory' | 'none' | 'unknown' {
  return visit.incoming.files?.(path) ?? 'unknown'
}
