/** A set of TXT records as Route 53 has it, its values as they are written there. */
export interface RecordSet {
  name: string
  ttl: number
  values: string[]
}

/** The public hosted zones of an answer, ids without their prefix. */
export function hostedZones(xml: string): { id: string; name: string }[] {
  return elements(xml, 'HostedZone')
    .filter((zone) => text(zone, 'PrivateZone') !== 'true')
    .map((zone) => ({ id: text(zone, 'Id').replace(/^\/hostedzone\//, ''), name: bare(text(zone, 'Name')) }))
}

/** The TXT records of a name in an answer; `routed` where they follow a policy, so that there may be several sets. */
export function recordSet(xml: string, name: string): RecordSet | 'routed' | undefined {
  const set = elements(xml, 'ResourceRecordSet').find(
    (one) => text(one, 'Type') === 'TXT' && bare(text(one, 'Name')) === name.toLowerCase(),
  )
  if (set === undefined) return undefined
  if (/<(SetIdentifier|AliasTarget)>/.test(set)) return 'routed'
  return { name, ttl: Number(text(set, 'TTL')), values: elements(set, 'Value').map(plain) }
}

/** What is wrong, as an answer of an error says it. */
export function errorOf(xml: string): { code: string; message: string } {
  return { code: text(xml, 'Code'), message: text(xml, 'Message') }
}

/** A change of the records of a name from what they were to what they are to be, of which all or nothing is done. */
export function changeBatch(before: RecordSet | undefined, after: RecordSet | undefined): string {
  const changes = [before && change('DELETE', before), after && change('CREATE', after)].join('')
  return `<?xml version="1.0" encoding="UTF-8"?><ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes>${changes}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>`
}

function change(action: 'DELETE' | 'CREATE', { name, ttl, values }: RecordSet): string {
  const records = values.map((value) => `<ResourceRecord><Value>${escaped(value)}</Value></ResourceRecord>`).join('')
  const set = `<Name>${escaped(name)}.</Name><Type>TXT</Type><TTL>${ttl}</TTL><ResourceRecords>${records}</ResourceRecords>`
  return `<Change><Action>${action}</Action><ResourceRecordSet>${set}</ResourceRecordSet></Change>`
}

function elements(xml: string, tag: string): string[] {
  return [...xml.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))].map(([, inner]) => inner!)
}

function text(xml: string, tag: string): string {
  return plain(elements(xml, tag)[0] ?? '')
}

function bare(name: string): string {
  return name.replace(/\.$/, '').toLowerCase()
}

const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }

function plain(xml: string): string {
  return xml.replaceAll(/&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(\w+));/g, (all, hex, decimal, word) => {
    if (word !== undefined) return entities[word] ?? all
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code <= 0x10_ff_ff ? String.fromCodePoint(code) : all
  })
}

function escaped(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
