import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { type Scratch, scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

let directory: Scratch
let mesh: TestMaster

beforeAll(async () => {
  directory = await scratch()
  mesh = await startTestMaster(directory.path)
})

afterAll(async () => {
  await mesh[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})

test('the document is served to anybody, as it is committed', async () => {
  const answer = await fetch(`${mesh.base}/v1/openapi.json`)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8'])
  const committed = readFileSync(join(import.meta.dirname, '..', '..', 'api', 'openapi.json'), 'utf8')
  expect(await answer.text()).toBe(committed)
})

test('the page shows the operations and asks no other host', async () => {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } })
    const asked: string[] = []
    const troubles: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()))
    page.on('pageerror', (error) => troubles.push(String(error)))
    await page.goto(`${mesh.base}/docs`)
    const button = page.getByRole('button', { name: /^post \/workspaces\/.*\/virtual-hosts$/i }).first()
    // The page shows operations as they come into sight.
    await until('the operation to come into sight', async () => {
      await page.mouse.wheel(0, 1000)
      return button.isVisible()
    })
    await button.click()
    await page.getByText('API Gateway').first().waitFor()
    expect(asked.filter((url) => !url.startsWith(`${mesh.base}/`) && !url.startsWith('data:'))).toEqual([])
    expect(asked).toContain(`${mesh.base}/v1/openapi.json`)
    expect(troubles).toEqual([])
  } finally {
    await browser.close()
  }
})

test('the page may run no script but its own, and load nothing from elsewhere', async () => {
  const answer = await fetch(`${mesh.base}/docs`)
  const policy = answer.headers.get('content-security-policy') ?? ''
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toMatch(/unsafe|\*|https?:/)
  expect(await answer.text()).not.toMatch(/<script>|https?:\/\//)
})
