import type { AccessOptions } from '@nxmesh/model/options/access'
import { quote } from '../../quote.ts'
import { line, type OptionLine } from './line.ts'

/** Source: nginx access module. */
export function accessLines({ rules, satisfy }: AccessOptions): OptionLine[] {
  return [
    ...line('access.satisfy', 'satisfy', satisfy),
    ...rules.flatMap(({ action, address }, at) => line(`access.rules.${at}`, action, quote(address))),
  ]
}
