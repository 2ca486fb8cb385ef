import { parse } from '@nxmesh/nginx/parse'
import { print } from '@nxmesh/nginx/print'
import { percentile, rounded, verdict } from './figures.ts'

// 10 MB of configuration, read and written back; and texts made to be slow, each beside one of half its length.
const megabytes = 10
const rounds = 7

const site = (at: number) => `server {
    listen 443 ssl;
    server_name host-${at}.example.com www.host-${at}.example.com; # site ${at}
    ssl_certificate /etc/letsencrypt/live/host-${at}/fullchain.pem;
    location / {
        proxy_pass http://backend_${at};
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;
    }
    location ~ "\\.php$" {
        fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
    }
}
`

const fill = (text: string, share: number) => text.repeat(Math.ceil((megabytes * share * 2 ** 20) / text.length))

function timed<T>(work: () => T): { took: number; result: T } {
  const began = performance.now()
  const result = work()
  return { took: performance.now() - began, result }
}

let text = ''
for (let at = 0; text.length < megabytes * 2 ** 20; at++) text += site(at)
const read: number[] = []
const written: number[] = []
for (let round = 0; round < rounds; round++) {
  const parsed = timed(() => parse(text))
  if (!parsed.result.ok) throw new Error(parsed.result.message)
  const { tree } = parsed.result
  const printed = timed(() => print(tree))
  if (printed.result !== text) throw new Error('what was read is not what was printed')
  read.push(parsed.took)
  written.push(printed.took)
}
console.log(`${megabytes} MB of sites, ${rounds} rounds`)
verdict('read, median', percentile(read, 0.5) / 1000, 1, 's')
verdict('written back, median', percentile(written, 0.5) / 1000, 1, 's')

const hostile: Record<string, (share: number) => string> = {
  'one-letter statements': (share) => fill('a;', share),
  'words of one statement': (share) => `a${fill(' b', share)};`,
  'comments full of quotes': (share) => fill('# "{\n', share),
  'escapes in words': (share) => fill(`a ${String.raw`\"\x`.repeat(900)};`, share),
  'blocks within blocks': (share) => fill('a{', share / 2) + fill('}', share / 4),
  'an open quote': (share) => `a "${fill('x', share)}`,
  'Lua with unclosed quotes': (share) => `x_by_lua_block {${fill(String.raw`"'\"`, share)}`,
  'Lua with brackets': (share) => `x_by_lua_block {${fill('[==', share)}`,
  'Lua with braces': (share) => `x_by_lua_block {${fill('{}', share)}}`,
}
console.log(`${megabytes} MB of what is made to be slow, and how much longer it takes than half of it`)
for (const [name, make] of Object.entries(hostile)) {
  const [half, whole] = [make(0.5), make(1)]
  const best = (input: string) => Math.min(...Array.from({ length: 3 }, () => timed(() => parse(input)).took))
  const [short, long] = [best(half), best(whole)]
  console.log(`  ${name}: ${long.toFixed(0)} ms, ${rounded(long / short)} times that of half`)
}
