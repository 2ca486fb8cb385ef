import fc from 'fast-check'
import { pick } from './pick.ts'

export interface Ask {
  method: string
  /** Left open where it is what the socket speaks. */
  scheme: 'http' | 'https' | undefined
  /** Which of the two ports, and which of the loopback addresses. */
  port: 1 | 2
  destination: string
  source: string
  /** What a header of the PROXY protocol before the request says of the client; left open where it is what the socket wants. */
  proxied: string | null | undefined
  host: string
  path: string
  headers: [name: string, value: string][]
}

const usual =
  '/ /a /a/ /a/b /ab /app /app/ /app/x /i/ /i /x /x.php /a.b /b /b/ /b/b /B /AB // /./ /%41 /a%20b /a+b /%2f /a%2Fb /%3f /%25 /%C3%A9 /deny ' +
  '/e404.html /index.html /. /12 /ba /abcd z /a/b/c/d /%26;x /missing'
const odd = '/../ /.. /%2e%2e/ /a%'
const segment = fc.oneof({ weight: 15, arbitrary: pick(...usual.split(' ')) }, { weight: 1, arbitrary: pick(...odd.split(' ')) })
const query = ['', '', '', '?', '?x=1', '?x=1&y=2', '?x=%20', '?x=a+b', '?Y=q&X=3', '?k', '?x=', '?to=up', '?x=index.html']
const hosts =
  'a.test a.test A.test:8080 b.test www.a.test q.a.test q.x.a.test c.test d.c.test www.zz foo.re.test xyz.test none a.test. 127.0.0.1 www.x.y [::1]:80'

/** One request. */
export const ask: fc.Arbitrary<Ask> = fc.record({
  method: fc.oneof(
    { weight: 3, arbitrary: fc.constant('GET') },
    { weight: 2, arbitrary: pick('HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'FOO', 'TRACE') },
  ),
  scheme: pick(...Array<undefined>(12), 'http' as const, 'https' as const),
  port: pick(1 as const, 1 as const, 2 as const),
  destination: pick('127.0.0.1', '127.0.0.1', '127.0.0.2', '::1'),
  source: pick('127.0.0.1', '127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.9'),
  proxied: pick(...Array<undefined>(14), '192.0.2.7', null),
  host: fc.oneof({ weight: 15, arbitrary: pick(...hosts.split(' ')) }, { weight: 1, arbitrary: pick('a..test', '', '..', 'a/b') }),
  path: fc
    .tuple(fc.array(segment, { minLength: 1, maxLength: 2 }), pick(...query))
    .map(([parts, text]) => `${parts.join('')}${text}`)
    .filter((path) => path.startsWith('/')),
  headers: fc.uniqueArray(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.tuple(
          pick('X-A', 'Cookie', 'X-Forwarded-For', 'X_Under', 'Authorization', 'X-Real-IP'),
          pick('1', 'a', 'c=7; d=8', '10.0.0.1', '127.0.0.2, 10.1.1.1'),
        ),
      },
      { weight: 1, arbitrary: fc.tuple(pick('Content-Length'), pick('0', '4', '8', '1025')) },
      { weight: 1, arbitrary: fc.tuple(pick('TE'), pick('trailers', 'gzip, trailers', 'gzip')) },
    ),
    { maxLength: 2, selector: ([name]) => name },
  ),
})
