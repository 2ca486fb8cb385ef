import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseVersion, probes, probeText } from '../src/facts.ts'
import { binaries } from './support/nginx-versions.ts'
import { temporaryFolder, testFile } from './support/real-nginx.ts'

describe('parseVersion', () => {
  test('reads paths, modules and the TLS library', () => {
    const output = [
      'nginx version: nginx/1.22.1 (Ubuntu)',
      'built by gcc 12.2.0 (Debian 12.2.0-14)',
      'built with OpenSSL 3.0.8 7 Feb 2023 (running with OpenSSL 3.0.19 27 Jan 2026)',
      'TLS SNI support enabled',
      "configure arguments: --with-cc-opt='-g -O2' --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf --error-log-path=stderr --with-http_ssl_module --with-http_v2_module",
    ].join('\n')
    expect(parseVersion(output)).toEqual({
      version: '1.22.1',
      configure_arguments: [
        '--with-cc-opt=-g -O2',
        '--prefix=/usr/share/nginx',
        '--conf-path=/etc/nginx/nginx.conf',
        '--error-log-path=stderr',
        '--with-http_ssl_module',
        '--with-http_v2_module',
      ],
      prefix: '/usr/share/nginx',
      conf_path: '/etc/nginx/nginx.conf',
      pid_path: '/usr/share/nginx/logs/nginx.pid',
      error_log_path: 'stderr',
      modules_path: '/usr/share/nginx/modules',
      openssl: 'OpenSSL 3.0.19 27 Jan 2026',
      supports: {
        ssl: true,
        http2: true,
        http2_directive: false,
        http3: false,
        reject_handshake: true,
        stub_status: false,
        keepalive_off: false,
        upstream_resolve: false,
        realip: false,
        brotli: false,
        brotli_static: false,
        lua: false,
        headers_more: false,
        echo: false,
        fancyindex: false,
        subs_filter: false,
        image_filter: false,
        cache_purge: false,
        stream: false,
        stream_ssl: false,
        stream_realip: false,
        mail: false,
        error_log_option: true,
      },
      modules: {},
    })
  })

  test('reads other builds by the same form, and nothing else', () => {
    expect(parseVersion('nginx version: openresty/1.21.4.1\nconfigure arguments: --prefix=/opt\n')).toMatchObject({
      version: '1.21.4',
      openssl: '',
    })
    expect(parseVersion('sh: nginx: not found')).toBeUndefined()
  })
})

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('those of what it supports stand together', () => {
    using folder = temporaryFolder()
    mkdirSync(join(folder.path, 'temp'))
    const file = join(folder.path, 'probe.conf')
    const { supports, modules } = binary.facts
    const supported = probes.filter(({ name }) => supports[name])
    writeFileSync(file, probeText(supported, Object.values(modules).flat()))
    expect(testFile(binary, folder.path, file)).toMatchObject({ ok: true })
  })

  test.each(probes)('the probe of $name agrees with what is known', (probe) => {
    using folder = temporaryFolder()
    mkdirSync(join(folder.path, 'temp'))
    const file = join(folder.path, 'probe.conf')
    writeFileSync(file, probeText([probe], (probe.module && binary.facts.modules[probe.module]) ?? []))
    const { ok, output } = testFile(binary, folder.path, file)
    expect({ ok, output }).toMatchObject({ ok: binary.facts.supports[probe.name] })
  })
})
