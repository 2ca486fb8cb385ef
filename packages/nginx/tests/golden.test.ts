import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parseVersion } from '../src/facts.ts'
import type { Marks } from '../src/health-marks.ts'
import { parse } from '../src/parse.ts'
import { print } from '../src/print.ts'
import type { Rendered, RenderTarget } from '../src/render/target.ts'
import { render } from '../src/render.ts'
import { certificate } from './support/certificate.ts'
import { type ConfigDraft, configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { testRendered } from './support/real-nginx.ts'

interface Case extends ConfigDraft {
  nginx: string
  mode?: RenderTarget['mode']
  ipv6?: boolean
  access_log?: string
  worker_user?: string
  marks?: Marks
  resolver?: string
  with_certificates?: string[]
}

const folder = fileURLToPath(new URL('../src/render/fixtures', import.meta.url))
const divider = '\n----------\n'
const modules =
  '--prefix=/usr/share/nginx --with-http_ssl_module --with-http_v2_module --with-http_v3_module --with-http_stub_status_module --with-stream --with-stream_ssl_module --with-stream_realip_module'

describe.each(readdirSync(folder).filter((file) => file.endsWith('.fixture')))('%s', (file) => {
  const text = readFileSync(`${folder}/${file}`, 'utf8')
  const [input, expected] = text.split(divider)
  const {
    nginx,
    mode = 'owned',
    ipv6 = false,
    access_log,
    worker_user,
    with_certificates = [],
    marks = {},
    resolver,
    ...draft
  } = JSON.parse(input!) as Case
  const health = { marks, ...(resolver === undefined ? {} : { resolver }) }
  const certificates = Object.fromEntries(with_certificates.map((id) => [id, { id, domain: 'example.com', ...certificate, expires_at: 0 }]))
  const config = configOf({ ...draft, certificates })

  test('renders the expected text', () => {
    const facts = parseVersion(`nginx version: nginx/${nginx}\nbuilt with OpenSSL 3.0.0\nconfigure arguments: ${modules}\n`)!
    const rendered = render(config, {
      facts,
      mode,
      digest: 'd1gest',
      runtime_directory: '/run/nxmesh',
      ipv6,
      ...health,
      ...(mode === 'include' ? { directory: '/var/lib/nxmesh/generations/1' } : {}),
      ...(access_log === undefined ? {} : { access_log }),
      ...(worker_user === undefined ? {} : { worker_user }),
    })
    const shown = show(rendered)
    if (process.env.UPDATE_FIXTURES === '1') writeFileSync(`${folder}/${file}`, `${input}${divider}${shown}`)
    else expect(shown).toBe(expected)
    for (const { path, text: conf } of rendered.files) {
      if (!path.endsWith('.conf')) continue
      const parsed = parse(conf)
      expect(parsed.ok && print(parsed.tree)).toBe(conf)
    }
  })

  test.each(binaries)('is accepted by nginx $facts.version', (binary) => {
    const result = testRendered(binary, config, { mode, ipv6, ...health })
    expect(result.output).toContain('test is successful')
    expect(result.output).not.toContain('[warn]')
  })
})

/** All files but the media types and the material of certificates, then the findings. */
function show({ files, findings, listens }: Rendered): string {
  const shown = files
    .filter(({ path }) => path !== 'test.conf')
    .map(
      ({ path, text, mode }) =>
        `# ${path} ${mode.toString(8)}\n${path.endsWith('.conf') ? text.replace(/^types \{\n[^}]*\}$/m, 'types { … }') : ''}`,
    )
  const listening = listens.map(({ port, transport }) => `${transport} ${port}`).join(', ')
  return `${shown.join('')}# listens: ${listening}\n# findings: ${JSON.stringify(findings, null, 2)}\n`
}
