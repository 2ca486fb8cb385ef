/** What an address of a name server says of a record. */
export type Answering = 'there' | 'missing' | 'silent'

/**
 * Whether a record is seen at all servers of a zone that answer, of which there have to be more than those that do not. An
 * address that is silent counts only where all of its server are: many networks have no IPv6.
 */
export function judgedServers(zone: string, servers: { name: string; answers: Answering[] }[]): { seen: boolean; detail: string } {
  const without = servers.filter(({ answers }) => answers.includes('missing')).map(({ name }) => name)
  const silent = servers.filter(({ answers }) => answers.every((answer) => answer === 'silent')).map(({ name }) => name)
  const told = silent.length === 0 ? '' : `; no answer from ${silent.join(', ')}`
  if (without.length > 0) return { seen: false, detail: `${without.join(', ')} of ${zone} does not have the record yet${told}` }
  const answering = servers.length - silent.length
  return { seen: answering > silent.length, detail: `${answering} of ${servers.length} name servers of ${zone} have the record${told}` }
}
