export interface CaaRecord {
  critical: boolean
  tag: string
  value: string
}

const understood = ['issue', 'issuewild', 'issuemail', 'issuevmc', 'iodef', 'contactemail', 'contactphone']

/**
 * Whether CAA records (RFC 8659) let a CA, by any of its identities, issue for a name. Parameters of a record, such as
 * `accounturi`, are the CA's to judge.
 */
export function caaAllows(records: readonly CaaRecord[], identities: readonly string[], isWildcard: boolean): boolean {
  if (records.some(({ critical, tag }) => critical && !understood.includes(tag.toLowerCase()))) return false
  const of = (wanted: string) => records.filter(({ tag }) => tag.toLowerCase() === wanted)
  const wild = isWildcard ? of('issuewild') : []
  const ruling = wild.length > 0 ? wild : of('issue')
  const mine = identities.map((identity) => identity.toLowerCase())
  return ruling.length === 0 || ruling.some(({ value }) => mine.includes(value.split(';')[0]!.trim().toLowerCase()))
}
