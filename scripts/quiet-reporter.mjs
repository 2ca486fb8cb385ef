import { writeFileSync } from 'node:fs'

/** The line a test run ends with. */
export const closingLine = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`

/**
 * A vitest reporter that prints one line a test file, and failures in full.
 * NXMESH_TEST_SUMMARY names a file that follows the counts while tests run; without it the counts are printed at the end.
 */
export default class QuietReporter {
  #vitest
  #summaryFile = process.env.NXMESH_TEST_SUMMARY
  #progress = 0
  #failures = []

  onInit(vitest) {
    this.#vitest = vitest
    this.#writeSummary({ finished: false })
  }

  onTestCaseResult(testCase) {
    this.#progress += 1
    this.#writeSummary({ finished: false, progress: this.#progress, last: testCase.fullName })
    if (testCase.result().state === 'failed') this.#printFailure(testCase, testCase.fullName, testCase.result().errors)
  }

  // A hook of a group failed (beforeAll, afterAll): no test of its own carries that error.
  onTestSuiteResult(suite) {
    this.#printFailure(suite, suite.fullName, suite.errors())
  }

  onTestModuleEnd(testModule) {
    this.#printFailure(testModule, 'the file itself', testModule.errors())
    const counts = count([testModule])
    const seconds = (testModule.diagnostic().duration / 1000).toFixed(1)
    const tests = [...testModule.children.allTests()].length
    this.#vitest.logger.log(`${counts.failed > 0 ? 'FAILED' : 'ok    '} ${testModule.relativeModuleId} (${tests} tests, ${seconds} s)`)
  }

  onTestRunEnd(testModules, unhandledErrors) {
    for (const error of unhandledErrors) this.#printError(error, { fullStack: true })
    const counts = count(testModules)
    counts.failed += unhandledErrors.length
    // Named again where a long output is read first: at its end.
    for (const failure of this.#failures) this.#vitest.logger.log(`failed ${failure}`)
    for (const [note, number] of skipNotes(testModules)) this.#vitest.logger.log(`skipped ${number}: ${note}`)
    if (this.#summaryFile) this.#writeSummary({ finished: true, ...counts })
    else this.#vitest.logger.log(closingLine(counts))
  }

  #writeSummary(summary) {
    if (this.#summaryFile) writeFileSync(this.#summaryFile, JSON.stringify(summary))
  }

  #printFailure(entity, title, errors = []) {
    if (errors.length === 0) return
    const file = (entity.module ?? entity).relativeModuleId
    this.#vitest.logger.error(`\nFAILED ${file} > ${title}`)
    this.#failures.push(`${file} > ${title}: ${errors[0].message?.split('\n', 1)[0].slice(0, 200)}`)
    for (const error of errors) this.#printError(error, { project: entity.project, fullStack: true })
    const logs = entity.logs?.() ?? []
    if (logs.length > 0) this.#vitest.logger.error(`printed by this test:\n${logs.map((log) => log.content).join('')}`)
  }

  #printError(error, options) {
    this.#vitest.logger.printError(error, options)
  }
}

/** Counts tests, and as one failure each file or group that broke outside of its tests. */
function count(testModules) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const testModule of testModules) {
    if (testModule.errors().length > 0) counts.failed += 1
    for (const suite of testModule.children.allSuites()) if (suite.errors().length > 0) counts.failed += 1
    for (const testCase of testModule.children.allTests()) {
      const { state } = testCase.result()
      // A test still pending at the end never finished.
      counts[state === 'pending' ? 'failed' : state] += 1
    }
  }
  return counts
}

function skipNotes(testModules) {
  const notes = new Map()
  for (const testModule of testModules) {
    for (const testCase of testModule.children.allTests('skipped')) {
      const { note } = testCase.result()
      if (note) notes.set(note, (notes.get(note) ?? 0) + 1)
    }
  }
  return notes
}
