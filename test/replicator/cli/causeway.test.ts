import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Command } from 'commander'
import { buildProgram } from '../../../replicator/cli/program.ts'
import { runCommand } from '../../../replicator/local/run-command.ts'

const launcher = join(import.meta.dirname, '../../../replicator/cli/causeway.js')
const causeway = (...args: string[]) =>
  runCommand(process.execPath, [launcher, ...args], {}, new AbortController().signal)

/** Commands that do something, rather than hold other commands. */
function commandsThatRun(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(commandsThatRun)
}

describe('causeway', () => {
  test('--help lists the commands and every exit code', async () => {
    const { code, stdout } = await causeway('--help')
    assert.equal(code, 0)
    assert.match(stdout, /^ {2}local /m)
    for (const number of [0, 1, 2, 3, 130]) assert.match(stdout, new RegExp(`^ {2}${number} `, 'm'))
  })

  test('every command has examples in its --help, and every file of commands/ is registered', () => {
    const program = buildProgram()
    const files = readdirSync(join(launcher, '..', 'commands')).filter((file) => file.endsWith('.ts'))
    assert.equal(program.commands.length, files.length)
    for (const command of commandsThatRun(program)) {
      let help = ''
      command.configureOutput({ writeOut: (text) => (help += text) })
      command.outputHelp()
      assert.match(help, /Examples:\n {2}(npx )?causeway /, command.name())
    }
  })

  test('a wrong command line ends with code 2 and says what is wrong', async () => {
    const unknown = await causeway('replcate')
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /unknown command/)
    const brokers = await causeway('local', 'up', '--regions', 'a', '--brokers', '0')
    assert.equal(brokers.code, 2)
    assert.match(brokers.stderr, /1 to 9/)
    const twice = await causeway('local', 'up', '--regions', 'a,a')
    assert.match(twice.stderr, /named twice/)
  })

  test('says what is missing where there is no Java, with code 3 and without a stack trace', async () => {
    const env = { PATH: '/nowhere', HOME: '/nonexistent', XDG_STATE_HOME: '/nonexistent' }
    const args = [launcher, 'local', 'up', '--regions', 'a']
    const { code, stderr } = await runCommand(process.execPath, args, { env }, new AbortController().signal)
    assert.equal(code, 3)
    assert.match(stderr, /Java is needed[\s\S]*version 17 or newer/)
    assert.doesNotMatch(stderr, /^\s+at /m)
  })
})
