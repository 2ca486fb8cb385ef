import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { selfSignedServer } from '@nxmesh/testkit/certificates'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { answering, applyOn, ask, desired, distinctBinaries, openBench, startOn } from './testing.ts'

const id = '00000000-0000-4000-9000-000000000001'

async function material(name: string) {
  const { certPem, keyPem } = await selfSignedServer([name])
  return { id, domain: name, certificate_pem: certPem, private_key_pem: keyPem, expires_at: 0 }
}

/** The fingerprint of the certificate that is served under a name. */
function served(port: number, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()!.toString())
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

describe.each(distinctBinaries())('certificates on nginx $label', ({ path }) => {
  test('a renewal under the same id is served, and its files are for their owner alone', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    const virtual_hosts = [answering(port, 'tls', { ssl_enabled: true, ssl_certificate_id: id })]
    const first = await material('a.test')
    for (const version of [1, 2, 3, 4]) {
      const certificate = version === 1 ? first : await material('a.test')
      await applyOn(agent, bench, desired(version, { virtual_hosts, certificates: { [id]: certificate } }))
      expect(await served(port, 'a.test')).toBe(certificate.certificate_pem)
    }
    const generations = join(bench.data, 'generations')
    const kept = (await readdir(generations, { recursive: true })).filter((name) => name.includes('/certificates/'))
    // A renewal or three later the key is gone from the disk.
    expect(kept.length).toBe(6)
    for (const name of kept) {
      expect((await stat(join(generations, name))).mode & 0o777, name).toBe(0o600)
      expect(await readFile(join(generations, name), 'utf8')).not.toBe(first.private_key_pem)
    }
  })

  test('hazards 77, 78, 80: a key that is not the certificate’s, of whatever kind, changes nothing and is named', async () => {
    await using bench = await openBench()
    const [port, plain] = [await freePort(), await freePort()]
    await using agent = await startOn(bench, { nginx: path })
    const tls = answering(port, 'tls', { ssl_enabled: true, ssl_certificate_id: id })
    const good = await material('a.test')
    const config = { virtual_hosts: [answering(plain, 'plain'), tls], certificates: { [id]: good } }
    expect(await applyOn(agent, bench, desired(1, config))).toMatchObject({ status: 'success' })
    const other = await material('b.test')
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const locked = createPrivateKey(good.private_key_pem).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
    const broken = [
      [{ private_key_pem: rsa }, 'does not belong'],
      [{ private_key_pem: other.private_key_pem }, 'does not belong'],
      [{ certificate_pem: other.certificate_pem + good.certificate_pem }, 'does not belong'],
      [{ private_key_pem: locked.toString() }, 'encrypted'],
      [{ certificate_pem: 'none' }, 'the certificate for a.test cannot be read'],
    ] as const
    for (const [at, [change, words]] of broken.entries()) {
      const result = await applyOn(agent, bench, desired(2 + at, { ...config, certificates: { [id]: { ...good, ...change } } }))
      const finding = { severity: 'error', id: tls.id, field: 'ssl_certificate_id', message: expect.stringContaining(words) }
      expect(result).toMatchObject({ status: 'failed', findings: [finding] })
      expect(await ask(plain)).toBe('plain')
      expect(await served(port, 'a.test')).toBe(good.certificate_pem)
    }
    expect((await stat(join(bench.data, 'ledger.json'))).mode & 0o777).toBe(0o600)
  })
})
