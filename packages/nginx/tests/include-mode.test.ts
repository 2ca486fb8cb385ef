import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { candidateOf } from '../src/host-config.ts'
import { render } from '../src/render.ts'
import { certificate } from './support/certificate.ts'
import { configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { targetFor, temporaryFolder, testFile, writeFiles } from './support/real-nginx.ts'

const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path t_${kind};`).join(' ')

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('the file for include mode collides with nothing that a host sets', () => {
    using folder = temporaryFolder()
    const include = '/var/lib/nxmesh/current/http.conf'
    const host = `pid live.pid;
error_log stderr;
events { worker_connections 64; }
http {
  ${temporary}
  sendfile on; tcp_nopush on; server_tokens off; types_hash_max_size 1024; server_names_hash_bucket_size 64;
  server_names_hash_max_size 512; absolute_redirect on; port_in_redirect on; default_type text/plain; client_max_body_size 2m;
  ssl_protocols TLSv1.2; ssl_session_cache shared:own:1m; access_log off; keepalive_timeout 5s;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  geo $dollar { default "$"; }
  server { listen 18480 default_server; server_name _; return 404; }
  server { listen 18443 ssl default_server; server_name _; ssl_certificate certificates/${id(3, 1)}.pem; ssl_certificate_key certificates/${id(3, 1)}.key; }
  include ${include};
}
`
    const config = configOf({
      certificates: { [id(3, 1)]: { id: id(3, 1), domain: 'example.com', ...certificate, expires_at: 0 } },
      upstreams: [{ name: 'app', servers: [{ address: '127.0.0.1:1' }] }],
      settings: { nginx_directives: { client_max_body_size: '5m', server_tokens: 'on', limit_req_zone: '$host zone=z:1m rate=1r/s' } },
      virtual_hosts: [
        { server_name: '_', listen_port: 18480, locations: [{ path: '/', upstream_id: id(2, 1) }] },
        {
          server_name: 'example.com',
          listen_port: 18443,
          ssl_enabled: true,
          ssl_certificate_id: id(3, 1),
          custom_directives: { server_tokens: 'off' },
        },
      ],
    })
    const rendered = render(
      config,
      targetFor(binary, folder.path, { mode: 'include', directory: folder.path, access_log: join(folder.path, 'a.log') }),
    )
    expect(rendered.files.map(({ path }) => path).filter((path) => path.endsWith('.conf'))).toEqual(['http.conf'])
    writeFiles(folder.path, rendered)
    const candidate = candidateOf(host, { include, candidate: join(folder.path, 'http.conf'), pid: join(folder.path, 'test.pid') })
    writeFileSync(join(folder.path, 'candidate.conf'), candidate.ok ? candidate.text : candidate.message)
    const { output } = testFile(binary, folder.path, join(folder.path, 'candidate.conf'))
    expect(output).toContain('test is successful')
    expect(output.replace(/.*conflicting server name "_".*\n/, '')).not.toContain('[warn]')
  })
})
