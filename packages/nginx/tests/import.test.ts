import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ImportLine } from '@nxmesh/model/import'
import { describe, expect, test } from 'vitest'
import { importConfig } from '../src/import/import.ts'
import { readSources } from '../src/import/includes.ts'
import { differencesAfterImport } from '../src/import/proof.ts'
import type { SourceDirective } from '../src/import/source.ts'
import { certificate } from './support/certificate.ts'
import { id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { temporaryFolder, testFile, testRendered } from './support/real-nginx.ts'
import { type Shape, shapes } from './support/shapes.ts'

const certificateId = id(9, 1)

function imported(files: Shape) {
  const sources = readSources(new Map(Object.entries(files)), 'nginx.conf')
  let count = 0
  const result = importConfig(sources, { newId: () => id(1, ++count), findCertificate: () => certificateId })
  return { sources, result, differences: differencesAfterImport(sources, result) }
}

function countOf(directives: readonly SourceDirective[]): number {
  return directives.reduce((sum, { block }) => sum + 1 + countOf(block ?? []), 0)
}

const shown = ({ file, line, directive, outcome, message }: ImportLine) =>
  `${file.replace('/etc/nginx/', '')}:${line} ${directive} → ${outcome}${message === undefined ? '' : `: ${message}`}`

describe.each(Object.entries(shapes))('%s', (_, files) => {
  test.each(binaries)('nginx $facts.version takes it, and what becomes of it', (binary) => {
    using folder = temporaryFolder()
    for (const [name, text] of Object.entries({
      ...files,
      'certs/example.pem': certificate.certificate_pem,
      'certs/example.key': certificate.private_key_pem,
    })) {
      mkdirSync(dirname(join(folder.path, name)), { recursive: true })
      writeFileSync(join(folder.path, name), text)
    }
    expect(testFile(binary, folder.path, join(folder.path, 'nginx.conf')).output).toContain('test is successful')
    const { result } = imported(files)
    const config = {
      virtual_hosts: result.virtual_hosts,
      upstreams: result.upstreams,
      settings: result.settings,
      certificates: { [certificateId]: { id: certificateId, domain: 'example.com', ...certificate, expires_at: 0 } },
    }
    const { rendered, output } = testRendered(binary, config)
    expect(output).toContain('test is successful')
    expect(rendered.findings.filter(({ severity }) => severity === 'error')).toEqual([])
  })

  test('nothing is dropped without a word, and what differs is told', () => {
    const { sources, result, differences } = imported(files)
    expect(sources.problems).toEqual([])
    expect(result.lines).toHaveLength(countOf(sources.directives) + sources.includes.length)
    const report = {
      left_out: result.lines.filter(({ outcome }) => outcome === 'left_out').map(shown),
      // NxMesh's own defaults are what they are elsewhere.
      differences: differences
        .filter(({ context, change }) => change === 'removed' || (context !== 'http' && context !== 'main'))
        .map(({ context, change, directive }) => `${change} ${context}: ${directive}`),
    }
    expect(report).toMatchSnapshot()
  })
})
