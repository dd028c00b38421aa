import { execFile } from 'node:child_process'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../../..')

/** A checkout beside this tree. */
export interface Checkout {
  readonly folder: string
  remove(): Promise<void>
}

/** Checks a commit out, with this tree's packages. */
export async function checkOut(commit: string, folder: string): Promise<Checkout> {
  await run('git', ['-C', root, 'worktree', 'add', '--quiet', '--detach', folder, commit])
  for (const packages of ['node_modules', 'replicator/node_modules']) {
    await symlink(join(root, packages), join(folder, packages)).catch(() => {})
  }
  return {
    folder,
    async remove() {
      await run('git', ['-C', root, 'worktree', 'remove', '--force', folder]).catch(() => {})
    },
  }
}

/**
 * This tree's last commit, changed so that flows keep no offset maps: nobody else has a reason to switch them off.
 * @throws Error when the line that is taken away is not there any more
 */
export async function checkOutWithoutMaps(folder: string): Promise<Checkout> {
  const checkout = await checkOut('HEAD', folder)
  const file = join(folder, 'replicator/processes/replicate.ts')
  const text = await readFile(file, 'utf8')
  const without = text.replace(/^ *mapTopic: .*\n/m, '')
  if (without === text) throw new Error(`${file} does not say which topic keeps the maps`)
  await writeFile(file, without)
  return checkout
}
