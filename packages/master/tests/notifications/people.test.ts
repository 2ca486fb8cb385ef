import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { routes } from '@nxmesh/api/routes'
import { type OpenStore, stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startReceiver } from './receiver.ts'
import { openRig } from './rig.ts'

interface Mail {
  to: string[]
  text: string
}

/** A real SMTP server that keeps what it is given, and refuses the first `refusals` mails for now. */
async function startSmtp(refusals = 0) {
  const mails: Mail[] = []
  let left = refusals
  const server = new SMTPServer({
    hideSTARTTLS: true,
    onAuth: ({ username, password }, _session, done) =>
      username === 'nxmesh' && password === 'mail-password' ? done(null, { user: username }) : done(new Error('wrong password')),
    onData(stream, session, done) {
      let text = ''
      stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
      stream.on('end', () => {
        if (left-- > 0) return done(Object.assign(new Error('try again later'), { responseCode: 451 }))
        mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), text: text.replaceAll('\r\n', '\n') })
        done()
      })
    },
    logger: false,
  })
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  return {
    mails,
    settings: ['--smtp-url', `smtp://nxmesh:mail-password@127.0.0.1:${port}`, '--smtp-from', 'nxmesh@example.com'],
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

describe.each(stores)('on $name', (store) => {
  let opened: OpenStore

  beforeAll(async () => {
    opened = await store.open()
  })

  afterAll(() => opened[Symbol.asyncDispose]())

  test('an alert comes by e-mail, after the server was busy, once', async () => {
    await using smtp = await startSmtp(1)
    await using rig = await openRig(opened, {}, smtp.settings)
    const { id } = await rig.channel({ kind: 'email', name: 'mail', recipients: ['ada@example.com', 'grace@example.com'] })
    await rig.alert('disk full\r\nBcc: evil@example.com\r\n\r\nnot the body')
    const delivery = await rig.settled(id, { state: 'delivered' })
    expect(delivery).toMatchObject({ attempts: 2, status: 250 })
    expect(smtp.mails).toHaveLength(1)
    const [{ to, text }] = smtp.mails as [Mail]
    expect(to).toEqual(['ada@example.com', 'grace@example.com'])
    const [headers = ''] = text.split('\n\n')
    expect(headers).toContain('From: nxmesh@example.com')
    expect(headers).toContain(`Message-ID: <${delivery.event_id}@example.com>`)
    expect(headers.replaceAll('\n ', ' ')).toContain('Subject: [critical] : disk full Bcc: evil@example.com not the body')
    expect(headers).not.toMatch(/^bcc:/im)
    expect(headers).toMatch(/^content-type: text\/plain/im)
  })

  test('without an SMTP server nobody makes a channel for e-mail', async () => {
    await using rig = await openRig(opened)
    const refused = await rig.channel({ kind: 'email', name: 'mail', recipients: ['ada@example.com'] }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'kind', code: 'NOT_ALLOWED' }] })
  })

  test('an alert comes to Slack as text in which nothing is a link', async () => {
    await using receiver = await startReceiver()
    await using rig = await openRig(opened)
    const { id } = await rig.channel({ kind: 'slack', name: 'slack', url: receiver.url })
    await rig.alert('<!channel> 5 > 3 & <https://evil.example|here>')
    await rig.settled(id, { state: 'delivered' })
    const { text, ...rest } = JSON.parse(receiver.heard[0]!.body) as { text: string }
    expect(rest).toEqual({})
    expect(text).toContain('[critical] : &lt;!channel&gt; 5 &gt; 3 &amp; &lt;https://evil.example|here&gt;')
    expect(text).not.toMatch(/[<>]/)
  })

  test('secrets are in no answer, list, audit log, log or row', async () => {
    // It says back what it was asked for, as some do.
    await using receiver = await startReceiver((response, _count, { path }) => {
      response.writeHead(500).end(`no hook at ${path} (${path.split('/').at(-1)}), nxm_0123456789abcdef`)
    })
    await using smtp = await startSmtp()
    const logged: string[] = []
    await using rig = await openRig(opened, { backoff: () => 3600 }, smtp.settings, (line) => logged.push(line))
    const secret = `whsec_${Buffer.from('a secret of thirty-two letters!!').toString('base64')}`
    const slack = await rig.channel({ kind: 'slack', name: 'slack', url: `http://127.0.0.1:${receiver.port}/hook/T0/SECRET-PATH` })
    const hook = await rig.channel({ kind: 'webhook', name: 'hook', url: receiver.url, secret })
    const made = await rig.channel({ kind: 'webhook', name: 'made', url: receiver.url })
    await rig.channel({ kind: 'email', name: 'mail', recipients: ['ada@example.com'] })
    await rig.alert('something')
    for (const { id } of [slack, hook, made])
      await until('an attempt', async () => (await rig.deliveries(id)).some(({ status }) => status === 500))
    const params = { workspace_id: rig.workspaceId }
    const told = [
      slack,
      hook,
      await rig.client.call(routes.listNotificationChannels, { params }),
      await rig.client.call(routes.listWorkspaceAudit, { params, query: { per_page: '100' } }),
      await rig.deliveries(slack.id),
      await rig.deliveries(hook.id),
      await rig.master.ctx.db.selectFrom('notification_channels').selectAll().execute(),
      await rig.master.ctx.db.selectFrom('notification_deliveries').selectAll().execute(),
      logged,
    ].map((part) => JSON.stringify(part))
    const generated = made.kind === 'webhook' ? made.secret! : ''
    expect(generated).toMatch(/^whsec_/)
    for (const word of [secret, secret.slice(6), generated, generated.slice(6), 'SECRET-PATH', 'mail-password', 'nxm_0123456789abcdef']) {
      expect(told.filter((text) => text.includes(word))).toEqual([])
    }
    expect(told.join()).toContain('no hook at [redacted] ([redacted]), [redacted]')
  })
})
