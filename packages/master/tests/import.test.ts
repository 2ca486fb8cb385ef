import type { ImportLine } from '@nxmesh/model/import'
import { newChain, selfSignedServer } from '@nxmesh/testkit/certificates'
import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Door, type DoorRequest, openDoor } from './door.ts'

let stack: AsyncDisposableStack
let mesh: TestMaster
let door: Door
let workspace: string
let counter = 0

async function ok(method: string, path: string, request?: DoorRequest) {
  const answer = await door(method, path, request)
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
  return answer.body
}

const inWorkspace = (path: string) => `/workspaces/${workspace}${path}`
const importing = (body: object) => door('POST', inWorkspace('/import'), { body })
const version = async () => (await ok('GET', `/workspaces/${workspace}`)).config_version
const present = async () => ({
  hosts: (await ok('GET', inWorkspace('/virtual-hosts'))).data,
  upstreams: (await ok('GET', inWorkspace('/upstreams'))).data,
  settings: await ok('GET', inWorkspace('/settings')),
  version: await version(),
})
const state = async () => (await ok('GET', inWorkspace(`/revisions/${await version()}`))).state
const said = (lines: ImportLine[], directive: string) => lines.find((line) => line.directive === directive)

const files = {
  'nginx.conf': `user www-data;
events { worker_connections 512; }
http {
  include mime.types;
  gzip on;
  access_log /var/log/nginx/access.log;
  map $http_x $y { default 0; 1 1; }
  include conf.d/*.conf;
}
`,
  'conf.d/a.conf': `upstream app { server 10.0.0.1:8080 weight=2; server 10.0.0.2:8080; }
server {
  listen 80;
  server_name site.example www.site.example;
  location / { proxy_pass http://app; proxy_set_header Host $host; }
  location /admin { allow 10.0.0.0/8; deny all; return 200 $y; }
}
`,
}

const tls = (path = '/etc/ssl/site.pem') =>
  `events {} http { server { listen 443 ssl; server_name site.example; ssl_certificate ${path}; ssl_certificate_key /etc/ssl/site.key; return 204; } }`

describe.each(stores)('on $name', (store) => {
  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, await opened.settings()))
    door = await openDoor(mesh.base, administrator)
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  beforeEach(async () => {
    const body = { name: 'W', slug: `ws-${++counter}` }
    workspace = (await ok('POST', `/organizations/${mesh.organizationId}/workspaces`, { body })).id
  })

  test('a tree of files becomes objects, all in one version, with one line for each directive', async () => {
    const before = await version()
    const { status, body } = await importing({ files })
    expect(status).toBe(200)
    expect(await version()).toBe(before + 1)
    expect(body).toMatchObject({ dry_run: false, version: before + 1 })
    const { virtual_hosts, upstreams, settings } = await state()
    expect(virtual_hosts).toEqual(body.virtual_hosts)
    expect(upstreams).toEqual(body.upstreams)
    expect(settings).toEqual(body.settings)
    expect(virtual_hosts).toMatchObject([
      {
        server_name: 'site.example www.site.example _',
        listen_port: 80,
        locations: [
          { path: '/', upstream_id: upstreams[0].id },
          { path: '/admin', custom_directives: { return: '200 $y' }, extra_directives: ['allow 10.0.0.0/8', 'deny all'] },
        ],
        target_agents: { type: 'all' },
      },
    ])
    expect(upstreams).toMatchObject([{ name: 'app', servers: [{ address: '10.0.0.1:8080', weight: 2 }, { address: '10.0.0.2:8080' }] }])
    expect(settings.nginx_directives).toEqual({ worker_connections: '512', gzip: 'on', map: '$http_x $y {\n    default 0;\n    1 1;\n}' })
    expect(body.lines).toHaveLength(24)
    expect(said(body.lines, 'user www-data')).toMatchObject({ file: '/etc/nginx/nginx.conf', line: 1, outcome: 'replaced' })
    expect(said(body.lines, 'deny all')).toMatchObject({
      file: '/etc/nginx/conf.d/a.conf',
      line: 6,
      column: 39,
      outcome: 'kept',
      object: { kind: 'virtual_host', name: 'site.example' },
      field: 'locations.1.extra_directives.1',
    })
    expect(body.problems).toMatchObject([{ code: 'MISSING_FILE', file: '/etc/nginx/nginx.conf', line: 4, column: 3 }])
    expect(body.equal).toBe(false)
    expect(body.differences.filter(({ change }: { change: string }) => change === 'removed')).toEqual([])
    const [revision] = (await ok('GET', inWorkspace('/revisions'))).data
    expect(revision).toMatchObject({
      reason: 'imported 1 virtual hosts and 1 upstreams from a configuration of nginx',
      version: before + 1,
    })
    const [deed] = (await ok('GET', inWorkspace('/audit-log'))).data
    expect(deed).toMatchObject({ action: 'workspace.import', after: { version: before + 1, objects: 3 } })
  })

  test('a dry run answers the same and writes nothing', async () => {
    const before = await present()
    const dry = (await importing({ files, dry_run: true })).body
    expect(await present()).toEqual(before)
    expect(dry).toMatchObject({ dry_run: true, version: before.version })
    const real = (await importing({ files })).body
    expect(real.lines).toEqual(dry.lines)
    expect(real.differences).toEqual(dry.differences)
  })

  test('the output of nginx -T is split into its files', async () => {
    const dump = Object.entries({
      '/etc/nginx/nginx.conf': files['nginx.conf'].replace('include mime.types;', ''),
      '/etc/nginx/conf.d/a.conf': files['conf.d/a.conf'],
    })
      .map(([path, text]) => `# configuration file ${path}:\n${text}\n`)
      .join('')
    const { status, body } = await importing({ dump: `nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n${dump}` })
    expect(status).toBe(200)
    expect(body.virtual_hosts).toHaveLength(1)
    expect(body.problems).toEqual([])
    expect((await importing({ dump: 'server {}' })).body.error.details).toMatchObject([{ field: 'dump', code: 'INVALID_FORMAT' }])
  })

  test('what clashes refuses the whole, and nothing is written', async () => {
    await importing({ files })
    const before = await present()
    const again = await importing({ files: { ...files, 'conf.d/b.conf': 'server { listen 81; server_name other.example; return 204; }' } })
    expect([again.status, again.body.error.code]).toEqual([409, 'CONFLICT'])
    expect(again.body.error.details[0].message).toContain('site.example')
    expect(await present()).toEqual(before)
  })

  test('what one server sets and another uses refuses nothing, whichever of them is there already', async () => {
    const a = 'server { listen 80; server_name a.example; set $shared a; return 200 $shared; }'
    const b = 'server { listen 80; server_name b.example; return 200 "b $shared"; }'
    const around = 'map $shared $kind { default other; a first; }'
    const inHttp = (text: string) => ({ files: { 'nginx.conf': `events {} http { ${text} }` } })
    const empty = 'map "" $shared {\n    default "";\n}'
    const together = await importing(inHttp(`${around} ${a} ${b}`))
    expect([together.status, together.body.virtual_hosts?.length]).toEqual([200, 2])
    expect(together.body.settings.extra_directives).toEqual([empty])
    expect(together.body.differences).toContainEqual({ context: 'http', change: 'added', directive: expect.stringContaining('$shared') })
    // The one that sets it can go, and another import finds the definition there.
    const [first] = together.body.virtual_hosts
    await ok('DELETE', `/virtual-hosts/${first.id}`)
    const later = await importing(inHttp(`${a} ${b.replaceAll('b.example', 'c.example')}`))
    expect([later.status, later.body.virtual_hosts?.length]).toEqual([200, 2])
    expect((await state()).settings.extra_directives).toEqual([empty])
  })

  test('what means something else in the workspace leaves out the server that uses it, with the reason', async () => {
    const host = { name: 'Theirs', server_name: 'theirs.example', listen_port: 80, custom_directives: { set: '$theirs 1' } }
    await ok('POST', inWorkspace('/virtual-hosts'), { body: host })
    await ok('PATCH', inWorkspace('/settings'), { body: { nginx_directives: { map: '$host $mapped { default 1; }' } } })
    const { status, body } = await importing({
      files: {
        'nginx.conf': `events {} http { server { listen 80; server_name a.example; return 200 $theirs; }
          server { listen 80; server_name b.example; return 200 $mapped; }
          server { listen 80; server_name c.example; set $mapped 2; return 200 $mapped; } }`,
      },
    })
    expect(status).toBe(200)
    expect(body.virtual_hosts.map(({ server_name }: { server_name: string }) => server_name)).toEqual(['c.example'])
    expect(said(body.lines, 'return 200 $theirs')?.message).toContain('uses $theirs, and only virtual host "Theirs" of the workspace')
    expect(said(body.lines, 'return 200 $mapped')?.message).toContain('uses $mapped, and the settings of the workspace define it')
  })

  test('a site alone, without the files that come with nginx, is imported', async () => {
    const site = `server { listen 80; server_name php.example; root /srv; include /etc/letsencrypt/options-ssl-nginx.conf;
      location ~ \\.php$ { include snippets/fastcgi-php.conf; fastcgi_pass unix:/run/php.sock; }
      location /u { uwsgi_pass 127.0.0.1:1; include uwsgi_params; } location /own { include own_params; return 204; } }`
    const whole = { 'nginx.conf': `events {} http { ${site.replace('location /own { include own_params; return 204; }', '')} }` }
    const { body } = await importing({ files: whole })
    expect(body.virtual_hosts).toHaveLength(1)
    const [php, uwsgi] = body.virtual_hosts[0].locations
    expect(php.extra_directives).toContain('fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name')
    expect(php.custom_directives.fastcgi_split_path_info).toBe('^(.+?\\.php)(/.*)$')
    expect(uwsgi.extra_directives).toContain('uwsgi_param PATH_INFO $document_uri')
    expect(body.problems.map(({ message }: { message: string }) => message)).toEqual([
      'there is no file "/etc/letsencrypt/options-ssl-nginx.conf": NxMesh has settings of TLS itself',
      expect.stringContaining("Debian's stands in for it"),
      'there is no file "/etc/nginx/fastcgi.conf": nginx\'s own stands in for it',
      expect.stringContaining("nginx's own stands in for it"),
    ])
    // Of others nobody knows what they say.
    const own = (await importing({ files: { 'nginx.conf': `events {} http { ${site} }` }, dry_run: true })).body
    expect(own.virtual_hosts).toEqual([])
  })

  test('upstreams and settings beside those that are there', async () => {
    await ok('POST', inWorkspace('/upstreams'), { body: { name: 'app', servers: [{ address: '127.0.0.1:1' }] } })
    await ok('PATCH', inWorkspace('/settings'), { body: { nginx_directives: { gzip: 'off' }, tls_policy: 'modern' } })
    const { body } = await importing({ files })
    expect(body.upstreams.map(({ name }: { name: string }) => name)).toEqual(['app (2)'])
    expect((await state()).settings).toMatchObject({ nginx_directives: { gzip: 'off', worker_connections: '512' }, tls_policy: 'modern' })
    expect(said(body.lines, 'gzip on')).toMatchObject({ outcome: 'left_out' })
  })

  test('what nginx could not read is refused with its place', async () => {
    const before = await version()
    const broken = await importing({
      files: { 'nginx.conf': 'http {\n include a.conf;\n}', 'a.conf': 'gzip on;\n include nginx.conf; b }' },
    })
    expect(broken.status).toBe(422)
    expect(broken.body.error.details).toEqual([
      { field: 'files', message: '/etc/nginx/a.conf, line 2, column 24: unexpected "}"', code: 'INVALID_FORMAT' },
    ])
    const cycle = await importing({ files: { 'nginx.conf': 'include a.conf;', 'a.conf': 'include nginx.conf;' } })
    expect(cycle.body.error.details[0].message).toContain('/etc/nginx/a.conf, line 1, column 1: "/etc/nginx/nginx.conf" includes itself')
    expect((await importing({ files, main: 'other.conf' })).body.error.details).toMatchObject([{ field: 'main' }])
    for (const body of [{}, { files, dump: '' }, { dump: '', main: 'x' }]) expect((await importing(body)).status).toBe(422)
    expect(await version()).toBe(before)
  })

  test('a server that speaks TLS takes a certificate of the workspace, by its names or as it was said', async () => {
    const waiting = (await importing({ files: { 'nginx.conf': tls() }, dry_run: true })).body
    expect(waiting.virtual_hosts).toEqual([])
    expect(waiting.certificates).toEqual([{ path: '/etc/ssl/site.pem', server_names: ['site.example'], certificate_id: null }])
    expect(said(waiting.lines, 'ssl_certificate /etc/ssl/site.pem')).toMatchObject({ outcome: 'left_out' })
    const certificate = (domain: string) => ok('POST', inWorkspace('/certificates'), { body: { domain, provider: 'self_signed' } })
    const [own, other] = [await certificate('site.example'), await certificate('other.example')]
    const found = (await importing({ files: { 'nginx.conf': tls() }, dry_run: true })).body
    expect(found.virtual_hosts).toMatchObject([{ ssl_enabled: true, ssl_certificate_id: own.id, listen_port: 443 }])
    const named = await importing({ files: { 'nginx.conf': tls() }, certificates: { '/etc/ssl/site.pem': other.id } })
    expect(named.body.error.details).toMatchObject([{ field: 'virtual_hosts.0.ssl_certificate_id' }])
    const unknown = await importing({ files: { 'nginx.conf': tls() }, certificates: { '/x': '00000000-0000-4000-8000-000000000000' } })
    expect(unknown.body.error.details).toMatchObject([{ field: 'certificates./x', code: 'UNKNOWN_REFERENCE' }])
    expect(
      (await importing({ files: { 'nginx.conf': tls() }, certificates: { '/etc/ssl/site.pem': own.id } })).body.virtual_hosts,
    ).toHaveLength(1)
  })

  describe('certificates among the files', () => {
    const problemsOf = ({ problems }: { problems: { code: string; message: string }[] }) =>
      problems.filter(({ code }) => code === 'UNUSABLE_CERTIFICATE').map(({ message }) => message)
    const certificates = async () => (await ok('GET', inWorkspace('/certificates'))).data
    const server = (name: string, cert: string, key = 'tls/a.key', port = 443) =>
      `server { listen ${port} ssl; server_name ${name}; ssl_certificate ${cert}; ssl_certificate_key ${key}; return 204; }`

    test('become certificates of the workspace, one for each pair, and their keys are never shown', async () => {
      const chain = await newChain({ names: ['site.example', '*.site.example'] })
      const tree = {
        'nginx.conf': `events {} http { ${server('site.example', 'tls/a.pem')} ${server('w.site.example', '/etc/nginx/tls/a.pem')} }
          stream { ${server('x', 'tls/both.pem', 'tls/both.pem', 8443).replace('server_name x; ', '').replace('return 204', 'return ok')} }`,
        'tls/a.pem': `${chain.certPem}${chain.intermediatePem}`,
        'tls/a.key': chain.keyPem,
        // nginx takes a file that holds both.
        'tls/both.pem': `${chain.keyPem}${chain.intermediatePem}${chain.certPem}`,
      }
      const before = await version()
      const dry = await importing({ files: tree, dry_run: true })
      expect(dry.status).toBe(200)
      expect(await certificates()).toEqual([])
      expect(dry.body.certificates.map(({ path, created }: { path: string; created: boolean }) => [path, created])).toEqual([
        ['/etc/nginx/tls/a.pem', true],
        ['/etc/nginx/tls/both.pem', true],
      ])
      expect(said(dry.body.lines, 'ssl_certificate tls/a.pem')).toMatchObject({
        outcome: 'imported',
        field: 'ssl_certificate_id',
        message: expect.stringContaining('becomes the certificate "site.example"'),
      })
      const real = await importing({ files: tree })
      expect(real.status).toBe(200)
      const [made, ...others] = await certificates()
      expect(others).toEqual([])
      expect(made).toMatchObject({
        domain: 'site.example',
        provider: 'uploaded',
        status: 'active',
        names: ['site.example', '*.site.example'],
      })
      const { virtual_hosts, stream_hosts } = await state()
      const ids = [...virtual_hosts, ...stream_hosts].map(({ ssl_certificate_id }: { ssl_certificate_id: string }) => ssl_certificate_id)
      expect(ids).toEqual([made.id, made.id, made.id])
      expect(await version()).toBe(before + 1)
      const shown = [dry.text, real.text, JSON.stringify(await state())]
      shown.push(
        ...(await Promise.all(['/audit-log', '/revisions', '/events'].map(async (path) => (await door('GET', inWorkspace(path))).text))),
      )
      const secret = chain.keyPem.split('\n')[1]!
      for (const text of shown) expect(text).not.toContain(secret)
      expect((await ok('GET', inWorkspace('/audit-log'))).data[0]).toMatchObject({ action: 'workspace.import', after: { objects: 4 } })
    })

    test('that are there already are not made again, and what is named for a path comes first', async () => {
      const chain = await newChain({ names: ['site.example'] })
      const body = { domain: 'site.example', provider: 'uploaded', certificate_pem: chain.certPem, private_key_pem: chain.keyPem }
      const own = await ok('POST', inWorkspace('/certificates'), { body })
      const other = await ok('POST', inWorkspace('/certificates'), { body: { domain: 'site.example', provider: 'self_signed' } })
      const tree = { 'nginx.conf': tls('/etc/ssl/site.pem'), '/etc/ssl/site.pem': chain.certPem, '/etc/ssl/site.key': chain.keyPem }
      const dry = (await importing({ files: tree, dry_run: true })).body
      expect(dry.virtual_hosts).toMatchObject([{ ssl_certificate_id: own.id }])
      expect(dry.certificates).toEqual([{ path: '/etc/ssl/site.pem', server_names: ['site.example'], certificate_id: own.id }])
      const named = (await importing({ files: tree, certificates: { '/etc/ssl/site.pem': other.id } })).body
      expect(named.virtual_hosts).toMatchObject([{ ssl_certificate_id: other.id }])
      expect(await certificates()).toHaveLength(2)
    })

    test('that an upload would not be taken from are told, and nothing of their keys is', async () => {
      const day = 86_400_000
      const old = await newChain({ names: ['site.example'], notBefore: Date.now() - 9 * day, notAfter: Date.now() - day })
      const good = await newChain({ names: ['site.example'] })
      const stranger = await selfSignedServer(['other.example'])
      const cases: [certificate: string, key: string, why: string][] = [
        [old.certPem, old.keyPem, 'is over since'],
        [good.certPem, stranger.keyPem, 'is the key of none of the certificates'],
        ['none', good.keyPem, 'holds no certificate in PEM'],
        [good.certPem, `-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----`, 'is no private key in PEM'],
      ]
      for (const [certificate, key, why] of cases) {
        const tree = { 'nginx.conf': tls('/etc/ssl/site.pem'), '/etc/ssl/site.pem': certificate, '/etc/ssl/site.key': key }
        const answer = await importing({ files: tree })
        expect(answer.status).toBe(200)
        expect(answer.body.virtual_hosts).toEqual([])
        expect(problemsOf(answer.body)).toEqual([expect.stringContaining(why)])
        expect(said(answer.body.lines, 'ssl_certificate /etc/ssl/site.pem')?.message).toContain(why)
        expect(answer.text).not.toContain(key.split('\n')[1])
      }
      const tree = { 'nginx.conf': tls('/etc/ssl/site.pem'), '/etc/ssl/site.pem': stranger.certPem, '/etc/ssl/site.key': stranger.keyPem }
      const { body } = await importing({ files: tree })
      expect(said(body.lines, 'ssl_certificate /etc/ssl/site.pem')?.message).toContain('is not for site.example, but for other.example')
      expect(body.certificates).toMatchObject([{ certificate_id: null }])
      expect(await certificates()).toEqual([])
    })

    test('of a server that is left out are not made', async () => {
      const chain = await newChain({ names: ['site.example'] })
      const text = tls('/etc/ssl/site.pem').replace('return 204', 'js_content a.b')
      const { body } = await importing({
        files: { 'nginx.conf': text, '/etc/ssl/site.pem': chain.certPem, '/etc/ssl/site.key': chain.keyPem },
      })
      expect(body.certificates).toMatchObject([{ path: '/etc/ssl/site.pem', certificate_id: null }])
      expect(await certificates()).toEqual([])
    })
  })

  test('a large configuration is imported in one go', async () => {
    const many = Array.from(
      { length: 500 },
      (_, at) => `server { listen 80; server_name h${at}.example; location / { return 200 ${at}; } }`,
    )
    const began = performance.now()
    const { body } = await importing({ files: { 'nginx.conf': `events {} http { ${many.join('\n')} }` } })
    expect(body.virtual_hosts).toHaveLength(500)
    expect(performance.now() - began).toBeLessThan(20_000)
  })
})
