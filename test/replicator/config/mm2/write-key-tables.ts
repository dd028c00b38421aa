/** Writes the tables of docs/from-mirrormaker2.md anew: node test/replicator/config/mm2/write-key-tables.ts */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { keyTables, tablesBegin, tablesEnd } from './key-tables.ts'

const file = join(import.meta.dirname, '../../../../docs/from-mirrormaker2.md')
const text = readFileSync(file, 'utf8')
const [before = '', rest = ''] = text.split(tablesBegin)
const [, after = ''] = rest.split(tablesEnd)
writeFileSync(file, `${before}${tablesBegin}\n\n${keyTables()}\n\n${tablesEnd}${after}`)
