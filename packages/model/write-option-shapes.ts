// Writes the shapes of all options to src/gen/option-shapes.ts: npm run options.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { optionShapesText } from './src/option-shapes-text.ts'

writeFileSync(join(import.meta.dirname, 'src', 'gen', 'option-shapes.ts'), optionShapesText())
