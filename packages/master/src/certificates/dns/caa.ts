export interface CaaRecord {
  critical: boolean
  tag: string
  value: string
}

const known = new Set(['issue', 'issuewild', 'iodef', 'issuemail', 'issuevmc', 'contactemail', 'contactphone'])

/** Whether the CAA records that rule a name let a CA, by any of its identities, issue for it. Source: RFC 8659 section 4. */
export function caaAllows(records: readonly CaaRecord[], identities: readonly string[], isWildcard: boolean): boolean {
  const tagged = records.map((record) => ({ ...record, tag: record.tag.toLowerCase() }))
  if (tagged.some(({ critical, tag }) => critical && !known.has(tag))) return false
  const wild = tagged.filter(({ tag }) => tag === 'issuewild')
  const ruling = isWildcard && wild.length > 0 ? wild : tagged.filter(({ tag }) => tag === 'issue')
  if (ruling.length === 0) return true
  return ruling.some(({ value }) => identities.includes(value.split(';')[0]!.trim().toLowerCase()))
}
