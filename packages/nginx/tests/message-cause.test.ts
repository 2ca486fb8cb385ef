import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compareVersions, loadLines } from '../src/facts.ts'
import { causeOf } from '../src/message-cause.ts'
import { readMessages } from '../src/nginx-messages.ts'
import { type Broken, brokenConfigs } from './support/broken-configs.ts'
import { binaries, type NginxBinary } from './support/nginx-versions.ts'
import { temporaryFolder, testFile, wrap } from './support/real-nginx.ts'

/** What `nginx -t` says of a configuration. */
function saidOf(binary: NginxBinary, { http, main, stream, files = {} }: Broken): { text: string; code: string | undefined }[] {
  using folder = temporaryFolder()
  const user = process.getuid?.() === 0 && !main?.startsWith('user') ? 'user root; ' : ''
  const whole = stream === undefined ? main : `events {} stream { ${stream} }`
  const loads = stream === undefined ? '' : loadLines(binary.facts.modules.stream ?? [])
  const text = http === undefined ? `${loads}${user}pid n.pid; error_log stderr; ${whole}` : wrap(http)
  for (const [name, content] of Object.entries({ ...files, 'test.conf': text })) {
    mkdirSync(dirname(join(folder.path, name)), { recursive: true })
    writeFileSync(join(folder.path, name), content)
  }
  const { output } = testFile(binary, folder.path, join(folder.path, 'test.conf'))
  return readMessages(output).map((message) => ({ text: message.text, code: causeOf(message.text)?.code }))
}

describe.each(binaries)('nginx $facts.version', (binary) => {
  const { version } = binary.facts
  const applies = ({ stream, since = '0', until = '99' }: Broken) =>
    compareVersions(since, version) <= 0 && compareVersions(version, until) < 0 && (stream === undefined || binary.facts.supports.stream)

  test.each(
    brokenConfigs.filter(applies).map((broken) => [broken.code, broken.http ?? broken.stream ?? broken.main ?? '', broken] as const),
  )('%s: %s', (code, _, broken) => {
    const said = saidOf(binary, broken)
    expect(said.map((each) => each.code)).toContain(code)
    expect(said.filter((each) => each.code === undefined)).toEqual([])
  })
})
