import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { defaultSettings } from '@nxmesh/model/settings'
import { hasModule, withOwnModules } from '@nxmesh/testkit/own-modules'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { answering, applyOn, ask, desired, distinctBinaries, openBench, startOn, until } from './testing.ts'

// Distributions ship mail as a module of its own.
const binaries = distinctBinaries().filter(({ path }) => hasModule(path, 'ngx_mail_module.so'))

const pop3 = (where: string) => `server { listen ${where}; protocol pop3; }`
const mail = (...servers: string[]) => ({ settings: { ...defaultSettings, mail_directives: ['auth_http 127.0.0.1:1/auth', ...servers] } })

async function greeting(port: number, host = '127.0.0.1'): Promise<string> {
  const socket = connect(port, host)
  try {
    return String((await once(socket, 'data'))[0]).trim()
  } finally {
    socket.destroy()
  }
}

test('there is an nginx with mail on this machine', () => expect(binaries).not.toEqual([]))

describe.each(binaries)('mail on nginx $label', ({ path }) => {
  test('hazard 109: its ports are opened while nginx runs, on one address, on all of them and back, and may go to another kind', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    let version = 0
    const apply = async (config: Parameters<typeof desired>[1]) => {
      const wanted = desired(++version, config)
      const { status, error_message, findings } = await applyOn(agent, bench, wanted)
      expect([status, error_message, findings]).toEqual(['success', '', []])
      expect((await agent.health()).serving_digest).toBe(wanted.digest)
    }
    await apply(mail(pop3(`127.0.0.1:${port}`)))
    expect(await greeting(port)).toBe('+OK POP3 ready')
    await expect(greeting(port, '127.0.0.2')).rejects.toThrow('ECONNREFUSED')
    await apply(mail(pop3(`${port}`)))
    expect(await greeting(port, '127.0.0.2')).toBe('+OK POP3 ready')
    await apply(mail(pop3(`127.0.0.1:${port}`)))
    await until('it listens there alone', () =>
      greeting(port, '127.0.0.2').then(
        () => false,
        () => true,
      ),
    )
    expect(await greeting(port)).toBe('+OK POP3 ready')
    await apply({ virtual_hosts: [answering(port, 'web')] })
    expect(await ask(port)).toBe('web')
    await apply(mail(pop3(`${port}`)))
    await until('it is a mail server again', async () => (await greeting(port)) === '+OK POP3 ready')
  })

  test('what nginx refuses, and a port of another process, are told at the directive, and what was served goes on', async () => {
    await using bench = await openBench()
    const [web, port] = [await freePort(), await freePort()]
    const squatter = createServer().listen(port, '127.0.0.1')
    await once(squatter, 'listening')
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    const virtual_hosts = [answering(web, 'web')]
    expect((await applyOn(agent, bench, desired(1, { virtual_hosts }))).status).toBe('success')
    const at = { severity: 'error', kind: 'settings', field: 'mail_directives.1' }
    const wrong = await applyOn(agent, bench, desired(2, { virtual_hosts, ...mail(pop3(`${await freePort()}; pop3_auth nobody`)) }))
    expect(wrong).toMatchObject({ status: 'failed', findings: [{ ...at, file: 'mail.conf' }] })
    const taken = await applyOn(agent, bench, desired(3, { virtual_hosts, ...mail(pop3(`127.0.0.1:${port}`)) }))
    expect(taken).toMatchObject({ status: 'failed', findings: [at] })
    expect(taken.error_message).toContain(`port ${port} on 127.0.0.1 is already in use on this machine by process ${process.pid}`)
    expect(await ask(web)).toBe('web')
    squatter.close()
  })

  test('a server on an address that the machine lacks is left out alone', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
    const result = await applyOn(agent, bench, desired(1, mail(pop3(`192.0.2.9:${port}`), pop3(`127.0.0.1:${port}`))))
    expect(result).toMatchObject({ status: 'success', findings: [{ severity: 'error', kind: 'settings', field: 'mail_directives.1' }] })
    expect(await greeting(port)).toBe('+OK POP3 ready')
  })
})
