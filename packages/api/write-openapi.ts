// Writes the document of the API to openapi.json beside this file: npm run openapi.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openApiText } from './src/openapi.ts'

writeFileSync(join(import.meta.dirname, 'openapi.json'), openApiText())
