import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { promisify } from 'node:util'
import { type Heard, type Receiver, startReceiver } from '../notifications/receiver.ts'

export interface Double extends Receiver {
  base: string
  /** TXT records by name, values as they are written at Route 53. */
  sets: Map<string, { ttl: string; values: string[] }>
}

const key = { id: 'AKIDEXAMPLE', secret: 'secret/of+aws' }

/** Answers as Route 53 does, changes included, and takes requests only that curl would sign in the same way. */
export async function startRoute53(meddle: (sets: Double['sets'], count: number) => void = () => undefined): Promise<Double> {
  const sets: Double['sets'] = new Map()
  let changes = 0
  const receiver = await startReceiver((response, _count, heard) => {
    const judge = async () => {
      const signed = await isSigned(heard)
      if (!signed) return response.writeHead(403).end(error('SignatureDoesNotMatch', 'The request signature does not match'))
      if (heard.body === '') return response.end(read(heard.path))
      meddle(sets, ++changes)
      const refused = change(heard.body)
      if (refused) return response.writeHead(400).end(error('InvalidChangeBatch', refused))
      return response.end(
        '<ChangeResourceRecordSetsResponse><ChangeInfo><Status>PENDING</Status></ChangeInfo></ChangeResourceRecordSetsResponse>',
      )
    }
    judge().catch((fault) => response.writeHead(500).end(error('InternalFailure', String(fault))))
  })
  function read(path: string): string {
    const { pathname, searchParams } = new URL(path, 'http://localhost')
    if (pathname === '/2013-04-01/hostedzonesbyname') {
      // From the name on, in order; the first of the two is in a network of theirs.
      const zone = (id: string, isPrivate: boolean) =>
        `<HostedZone><Id>/hostedzone/${id}</Id><Name>example.test.</Name><Config><PrivateZone>${isPrivate}</PrivateZone></Config></HostedZone>`
      return `<ListHostedZonesByNameResponse><HostedZones>${zone('ZPRIVATE', true)}${zone('ZPUBLIC', false)}</HostedZones></ListHostedZonesByNameResponse>`
    }
    if (pathname !== '/2013-04-01/hostedzone/ZPUBLIC/rrset') return '<ListResourceRecordSetsResponse/>'
    const asked = searchParams.get('name')!
    const [name, set] = [...sets].toSorted(([a], [b]) => (a < b ? -1 : 1)).find(([one]) => one >= asked) ?? []
    const values = set?.values.map((value) => `<ResourceRecord><Value>${value.replaceAll('"', '&quot;')}</Value></ResourceRecord>`).join('')
    const found = `<ResourceRecordSet><Name>${name}.</Name><Type>TXT</Type><TTL>${set?.ttl}</TTL><ResourceRecords>${values}</ResourceRecords></ResourceRecordSet>`
    return `<ListResourceRecordSetsResponse><ResourceRecordSets>${set ? found : ''}</ResourceRecordSets></ListResourceRecordSetsResponse>`
  }
  function change(body: string): string | undefined {
    const next = new Map(sets)
    for (const [one] of body.matchAll(/<Change>.*?<\/Change>/gs)) {
      const [, action] = /<Action>(\w+)</.exec(one)!
      const [, name] = /<Name>(.*?)\.</.exec(one)!
      const set = { ttl: /<TTL>(\d+)</.exec(one)![1]!, values: [...one.matchAll(/<Value>(.*?)</g)].map(([, value]) => value!) }
      if (action === 'CREATE' && next.has(name!)) return 'it already exists'
      if (action === 'DELETE' && JSON.stringify(next.get(name!)) !== JSON.stringify(set)) return 'the values provided do not match'
      if (action === 'CREATE') next.set(name!, set)
      else next.delete(name!)
    }
    sets.clear()
    for (const [name, set] of next) sets.set(name, set)
    return undefined
  }
  return { ...receiver, base: `http://127.0.0.1:${receiver.port}`, sets }
}

/** Whether curl signs the same request in the same way; it sends it to a receiver of its own. */
async function isSigned({ headers, body, path }: Heard): Promise<boolean> {
  await using other = await startReceiver()
  const at = String(headers['x-amz-date']).replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3 $4:$5:$6')
  const said = Object.entries({ host: headers.host, 'content-type': headers['content-type'] })
  const given = said.flatMap(([name, value]) => (value === undefined ? [] : ['-H', `${name}: ${value}`]))
  const data = body === '' ? [] : ['--data-binary', body]
  const signing = ['--aws-sigv4', 'aws:amz:us-east-1:route53', '--user', `${key.id}:${key.secret}`]
  const curl = ['-s', '--noproxy', '*', ...signing, ...given, ...data, `http://127.0.0.1:${other.port}${path}`]
  // The library itself: the command of the same name fails where a killed process of the same number left a semaphore behind.
  const [faketime] = globSync('/usr/lib/*/faketime/libfaketime.so.1')
  await promisify(execFile)('curl', curl, { env: { ...process.env, TZ: 'UTC', LD_PRELOAD: faketime, FAKETIME: at } })
  return parts(other.heard[0]!.headers.authorization) === parts(headers.authorization)
}

function parts(authorization = ''): string {
  return authorization.replaceAll(/,\s*/g, ',')
}

function error(code: string, message: string): string {
  return `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`
}
