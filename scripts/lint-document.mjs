import { join } from 'node:path'
import { bin, root, run } from './command.mjs'

/** Holds the committed document of the API to redocly.yaml. That it is what the route table makes is a unit test. */
export async function lintDocument(env) {
  const document = join(root, 'packages', 'api', 'openapi.json')
  const quiet = { ...env, NO_COLOR: '1', REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  const result = await run(join(bin, 'redocly'), ['lint', document], { env: quiet })
  // A warning is a fault too.
  return /\b\d+ (warning|error)/.test(result.output) ? { ...result, ok: false } : result
}
