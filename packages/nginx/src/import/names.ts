import { parseServerNames } from '@nxmesh/model/server-name'
import type { SourceDirective } from './source.ts'

/** The names of a server: those that a virtual host can have, and what is wrong with the others. */
export function namesOf(server: SourceDirective): { names: string[]; refused: string[] } {
  const names: string[] = []
  const refused: string[] = []
  for (const { name, args } of server.block!) {
    if (name !== 'server_name') continue
    for (const word of args) {
      const parsed = parseServerNames(word)
      if (word === '_') continue
      if (parsed.ok && parsed.names.length === 1) {
        if (!names.includes(parsed.names[0]!)) names.push(parsed.names[0]!)
      } else refused.push(word === '' ? '"" (requests that name no host)' : `"${word}"`)
    }
  }
  return { names, refused }
}

/** Who has which name on which address and port: nginx gives a request to the first server that has its name. */
export type Claims = Map<string, string>

/** Takes names at a place for a host; those that another has already are given back as taken. */
export function claim(claims: Claims, place: string, names: readonly string[], host: string): { free: string[]; taken: string[] } {
  const free: string[] = []
  const taken: string[] = []
  for (const name of names) {
    const owner = claims.get(`${place} ${name}`)
    if (owner === undefined) {
      claims.set(`${place} ${name}`, host)
      free.push(name)
    } else taken.push(`${name} (of "${owner}")`)
  }
  return { free, taken }
}
