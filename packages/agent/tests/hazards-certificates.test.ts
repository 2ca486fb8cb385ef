import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { newChain } from '@nxmesh/testkit/certificates'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { workersOf } from '../src/nginx.ts'
import { answering, applyOn, ask, desired, distinctBinaries, mastersOf, openBench, startOn } from './testing.ts'

const id = '00000000-0000-4000-9000-000000000079'

async function material(weak?: 'leaf' | 'intermediate' | 'hash') {
  const { certPem, intermediatePem, keyPem } = await newChain({ names: ['a.test'], ...(weak === undefined ? {} : { weak }) })
  return { id, domain: 'a.test', certificate_pem: certPem + intermediatePem, private_key_pem: keyPem, expires_at: 0 }
}

function served(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'a.test', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()!.toString())
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

describe.each(distinctBinaries())('nginx $label', ({ path }) => {
  test('hazard 79: a small key that comes all the same is taken or refused by the OpenSSL there: the finding names the host, nothing changes', async () => {
    await using bench = await openBench()
    const [port, plain] = [await freePort(), await freePort()]
    await using agent = await startOn(bench, { nginx: path })
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(plain, 'one')] }))
    const tls = answering(port, 'tls', { ssl_enabled: true, ssl_certificate_id: id })
    let version = 1
    for (const weak of ['leaf', 'intermediate'] as const) {
      const config = { virtual_hosts: [answering(plain, 'two'), tls], certificates: { [id]: await material(weak) } }
      const result = await applyOn(agent, bench, desired(++version, config))
      if (result.status === 'success') {
        expect(path).toContain('1.18')
        continue
      }
      const message = expect.stringMatching(/(ee|ca) key too small/)
      expect(result).toMatchObject({
        status: 'failed',
        findings: [{ severity: 'error', id: tls.id, field: 'ssl_certificate_id', message }],
      })
      expect(await ask(plain)).toBe('one')
    }
  })

  test('hazard 81, 82: one certificate and one key, by paths that hold no variable, which the master process reads for its workers', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    const certificate = await material()
    const config = {
      virtual_hosts: [
        answering(port, 'tls', { ssl_enabled: true, ssl_certificate_id: id }),
        answering(port, 'more', { server_name: 'b.test', ssl_enabled: true, ssl_certificate_id: id }),
      ],
      certificates: { [id]: certificate },
    }
    expect(await applyOn(agent, bench, desired(1, config))).toMatchObject({ status: 'success', findings: [] })
    expect(certificate.certificate_pem.startsWith(await served(port))).toBe(true)
    const text = await readFile(join(bench.data, 'current/http.conf'), 'utf8')
    for (const server of text.split('\nserver {\n').filter((part) => part.includes(' server_name '))) {
      expect(server.match(/^ *ssl_certificate .*$/gm)).toEqual([`    ssl_certificate certificates/${id}.pem;`])
      expect(server.match(/^ *ssl_certificate_key .*$/gm)).toEqual([`    ssl_certificate_key certificates/${id}.key;`])
    }
    const key = await stat(join(bench.data, `current/certificates/${id}.key`))
    expect(key.mode & 0o777).toBe(0o600)
    const [worker] = await workersOf((await mastersOf(bench.directory))[0]!)
    if (process.getuid?.() === 0) expect((await stat(`/proc/${worker!.pid}`)).uid).not.toBe(key.uid)
  })
})
