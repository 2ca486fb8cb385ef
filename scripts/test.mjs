// npm test: brings what the suites need, checks the types and the API document, runs every suite and ends with one line of counts.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { main, Refusal, root, run } from './command.mjs'
import { ensureDependencies, ensureNginx, ensurePackages, locateNode, programEnv } from './install.mjs'
import { lintDocument } from './lint-document.mjs'
import { bringNginxVersions } from './nginx-versions.mjs'
import { closingLine } from './quiet-reporter.mjs'

/** What suites use of the distribution, each with the command or the file that proves its presence. */
const PACKAGES = [
  { package: 'patchelf', command: 'patchelf' },
  { package: 'faketime', command: 'faketime' },
  { package: 'wrk', command: 'wrk' },
  { package: 'iproute2', command: 'ip' },
  { package: 'openssl', command: 'openssl' },
  { package: 'curl', command: 'curl' },
  { package: 'chromium', command: 'chromium' },
  { package: 'postgresql', command: 'initdb' },
  { package: 'prometheus', command: 'promtool' },
  { package: 'pebble', command: 'pebble' },
  { package: 'bind9', command: 'named' },
  { package: 'libnginx-mod-http-brotli-filter', file: '/usr/lib/nginx/modules/ngx_http_brotli_filter_module.so' },
  { package: 'libnginx-mod-http-brotli-static', file: '/usr/lib/nginx/modules/ngx_http_brotli_static_module.so' },
  { package: 'libnginx-mod-http-lua', file: '/usr/lib/nginx/modules/ngx_http_lua_module.so' },
  ...['headers-more-filter', 'echo', 'fancyindex', 'subs-filter', 'image-filter', 'cache-purge'].map((name) => ({
    package: `libnginx-mod-http-${name}`,
    file: `/usr/lib/nginx/modules/ngx_http_${name.replaceAll('-', '_')}_module.so`,
  })),
  { package: 'libnginx-mod-mail', file: '/usr/lib/nginx/modules/ngx_mail_module.so' },
  { package: 'logrotate', command: 'logrotate' },
]

// No test may take longer than this (each has a timeout of its own); beyond it a worker is stuck where no timeout reaches.
const STALL_MS = 10 * 60_000

await main(async (filters) => {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  try {
    await ensureDependencies()
    const node = await locateNode()
    await bringParts()
    for (const check of [typesHold, documentHolds]) if (!(await check(node))) counts.failed += 1
    const suites = await runSuites(node, filters)
    for (const key of Object.keys(counts)) counts[key] += suites[key]
  } catch (error) {
    console.error(error instanceof Refusal ? error.message : error)
    counts.failed += 1
  }
  console.log(closingLine(counts))
  return counts.failed > 0 ? 1 : 0
})

/** Brings the parts the suites run against. What cannot be had is told; the suites that need it say the rest. */
async function bringParts() {
  for (const bring of [ensureNginx, () => ensurePackages(PACKAGES)]) {
    try {
      await bring()
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      console.log(error.message)
    }
  }
  for (const failure of await bringNginxVersions()) console.log(failure)
}

async function typesHold(node) {
  const types = await run(node, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', root], { env: programEnv() })
  console.log(types.ok ? 'ok     types' : `FAILED types\n${types.output}`)
  return types.ok
}

async function documentHolds() {
  const document = await lintDocument(programEnv())
  console.log(document.ok ? 'ok     API document' : `FAILED API document\n${document.output}`)
  return document.ok
}

async function runSuites(node, filters) {
  const folder = mkdtempSync(join(tmpdir(), 'nxmesh-test-'))
  const summaryFile = join(folder, 'summary.json')
  try {
    const { code, stalled } = await runVitest(node, filters, summaryFile)
    const summary = existsSync(summaryFile) ? JSON.parse(readFileSync(summaryFile, 'utf8')) : undefined
    if (!summary?.finished) {
      const where = summary?.last ? `, after "${summary.last}"` : ''
      console.log(stalled ? `The suites hung for ${STALL_MS / 60_000} minutes${where}.` : `vitest broke off (${code})${where}.`)
      return { passed: 0, failed: 1, skipped: 0 }
    }
    if (summary.passed + summary.failed === 0) {
      console.log('No test was run.')
      return { ...summary, failed: 1 }
    }
    if (summary.failed > 0 || code === 0) return summary
    console.log(`vitest ended with ${code} although no test failed.`)
    return { ...summary, failed: 1 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs vitest in a process group of its own, so that nothing it started outlives it. */
function runVitest(node, filters, summaryFile) {
  const vitest = spawn(node, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...filters], {
    cwd: root,
    env: programEnv({ NXMESH_TEST_SUMMARY: summaryFile, NO_COLOR: process.env.NO_COLOR ?? '1' }),
    // Failures go to stdout too, in order with the rest and before the closing line.
    stdio: ['ignore', 1, 1],
    detached: true,
  })
  const started = Date.now()
  let stalled = false
  const killGroup = (signal) => {
    if (vitest.pid === undefined) return
    try {
      process.kill(-vitest.pid, signal)
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }
  const watchdog = setInterval(() => {
    const progress = existsSync(summaryFile) ? statSync(summaryFile).mtimeMs : started
    if (Date.now() - progress < STALL_MS) return
    stalled = true
    killGroup('SIGKILL')
  }, 5_000)
  const interrupt = () => killGroup('SIGTERM')
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  return new Promise((resolve) => {
    const end = (code) => {
      clearInterval(watchdog)
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
      killGroup('SIGKILL')
      resolve({ code, stalled })
    }
    vitest.once('error', (error) => end(error.message))
    vitest.once('exit', (code, signal) => end(code ?? signal))
  })
}
