import { createHash, createHmac } from 'node:crypto'

export interface AwsCredentials {
  access_key_id: string
  secret_access_key: string
  session_token: string | null
}

export interface AwsRequest {
  method: string
  url: string
  headers: Record<string, string>
  body: string
}

/** The headers of a request with those that sign it (AWS Signature Version 4). All of them are signed. */
export function signedHeaders(
  { method, url, headers, body }: AwsRequest,
  { access_key_id, secret_access_key, session_token }: AwsCredentials,
  { region, service, now }: { region: string; service: string; now: number },
): Record<string, string> {
  const { host, pathname, searchParams } = new URL(url)
  const time = `${new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
  const token: Record<string, string> = session_token === null ? {} : { 'x-amz-security-token': session_token }
  const all: Record<string, string> = { ...headers, ...token, 'x-amz-date': time }
  const canonical = Object.entries({ ...all, host })
    .map(([name, value]) => [name.toLowerCase(), value.trim().replaceAll(/ +/g, ' ')] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  const query = [...searchParams]
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .toSorted()
    .join('&')
  const names = canonical.map(([name]) => name).join(';')
  const lines = canonical.map(([name, value]) => `${name}:${value}\n`).join('')
  const request = [method, pathname.split('/').map(encoded).join('/'), query, lines, names, sha256(body)].join('\n')
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`
  const key = scope.split('/').reduce<string | Buffer>((above, part) => hmac(above, part), `AWS4${secret_access_key}`)
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(request)].join('\n')).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${access_key_id}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  return { ...all, authorization }
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

// All but the unreserved characters of RFC 3986.
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
