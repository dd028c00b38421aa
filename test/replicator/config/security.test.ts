import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { inspect } from 'node:util'
import type { LoadedConfig } from '../../../replicator/config/load-config.ts'
import { tokenFromCommand, tokenFromFile } from '../../../replicator/config/token-providers.ts'
import { load, problemsOf, warningsOf, withSecurity } from './files.ts'

function settingsOf(result: LoadedConfig) {
  assert.ok(result.ok, problemsOf(result).join('\n'))
  const [settings] = result.config.connections.values()
  assert.ok(settings)
  return settings
}

const scram = (password: string): string =>
  withSecurity(`{ tls: true, sasl: { mechanism: plain, username: u, password: ${password} } }`)

function passwordOf(result: LoadedConfig): string {
  const { sasl } = settingsOf(result)
  assert.ok(sasl?.mechanism === 'plain')
  return sasl.password.reveal()
}

describe('references', () => {
  test('to variables and files, within texts, and escaped', () => {
    const around = { environment: { A: 'one', 'B,]#': 'two' }, files: { 'secrets/p': 'three\n' } }
    const read = (password: string): string => passwordOf(load(scram(password), around))
    assert.equal(read('${env:A}'), 'one')
    assert.equal(read('"x${env:A}-${file:secrets/p}"'), 'xone-three')
    assert.equal(read('${env:B,]#}'), 'two')
    assert.equal(read('"$${env:A}"'), '${env:A}')
    assert.equal(read("'$x$'"), '$x$')
  })

  test('that lead nowhere, each with its place', () => {
    const found = problemsOf(
      load(scram('"${env:NOPE}${file:gone}${what:x}${env:EMPTY"'), { environment: {} }),
    )
    const hint = 'write ${env:NAME} or ${file:PATH}, or $${ for a literal ${'
    assert.deepEqual(found, [
      'causeway.yaml:4:130 regions.us-east.security.sasl.password: the environment variable NOPE is not set; set it, or use ${file:PATH}',
      'causeway.yaml:4:130 regions.us-east.security.sasl.password: the file gone does not exist; relative paths begin at the folder of the configuration file',
      `causeway.yaml:4:130 regions.us-east.security.sasl.password: a reference that is not understood; ${hint}`,
      `causeway.yaml:4:130 regions.us-east.security.sasl.password: a reference that is not understood; ${hint}`,
    ])
    assert.match(problemsOf(load(scram('${env:E}'), { environment: { E: '' } }))[0] ?? '', /E is empty/)
  })
})

describe('log-in', () => {
  test('a written-out password and a log-in in clear are warned of', () => {
    const clear = '{ sasl: { mechanism: plain, username: u, password: p } }'
    assert.deepEqual(warningsOf(load(withSecurity(clear))), [
      'causeway.yaml:4:70 regions.us-east.security.sasl: SASL without TLS: credentials and records travel in clear; add tls: true',
      'causeway.yaml:4:119 regions.us-east.security.sasl.password: a secret is written out in the file; use ${env:NAME} or ${file:PATH}',
    ])
  })

  const wrong: [string, string, RegExp[]][] = [
    ['nothing to log in with', '{ mechanism: scram-sha-256 }', [/needs "username"/, /needs "password"/]],
    [
      'an upper-case mechanism',
      '{ mechanism: SCRAM-SHA-512, username: u, password: p }',
      [/did you mean "scram-sha-512"/],
    ],
    [
      'a token with plain',
      '{ mechanism: plain, username: u, password: p, token: { file: x } }',
      [/"token" is not used by plain/],
    ],
    [
      'no source of tokens',
      '{ mechanism: oauthbearer, password: p }',
      [/missing: a source of tokens/, /"password" is not used/],
    ],
    [
      'two sources of tokens',
      '{ mechanism: oauthbearer, token: { file: x }, awsIam: { region: eu } }',
      [/more than one source/],
    ],
    [
      'two sources in one',
      '{ mechanism: oauthbearer, token: { file: x, command: [y] } }',
      [/more than one source/],
    ],
  ]
  for (const [what, sasl, expected] of wrong) {
    test(what, () => {
      const found = problemsOf(load(withSecurity(`{ sasl: ${sasl} }`)))
      assert.equal(found.length, expected.length, found.join('\n'))
      for (const pattern of expected)
        assert.ok(
          found.some((line) => pattern.test(line)),
          found.join('\n'),
        )
    })
  }

  test('tokens come from files and commands at each log-in', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-token-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const file = join(directory, 'token')
    const fromFile = tokenFromFile(file)
    await assert.rejects(fromFile(), /no OAuth token: the file .* cannot be read \(ENOENT\)/)
    for (const token of ['one', 'two']) {
      writeFileSync(file, `${token}\n`)
      assert.equal((await fromFile()).reveal(), token)
    }
    const run = (script: string) => tokenFromCommand([process.execPath, '-e', script], directory)()
    assert.equal((await run('console.log(require("node:fs").readFileSync("token", "utf8"))')).reveal(), 'two')
    await assert.rejects(run(''), /gave none/)
    await assert.rejects(
      run('console.log("hunter2"); console.error("hunter2"); process.exit(3)'),
      (error: Error) => {
        assert.match(error.message, /failed \(3\)/)
        assert.doesNotMatch(inspect(error), /hunter2/)
        return true
      },
    )
    const { sasl } = settingsOf(
      load(
        withSecurity(
          `{ tls: true, sasl: { mechanism: oauthbearer, token: { file: ${file} }, extensions: { logicalCluster: a } } }`,
        ),
      ),
    )
    assert.ok(sasl?.mechanism === 'oauthbearer')
    assert.equal((await sasl.token()).reveal(), 'two')
    assert.deepEqual(sasl.extensions, { logicalCluster: 'a' })
  })

  test('AWS IAM says which package it lacks', async () => {
    const { sasl } = settingsOf(
      load(withSecurity('{ tls: true, sasl: { mechanism: oauthbearer, awsIam: { region: us-east-1 } } }')),
    )
    assert.ok(sasl?.mechanism === 'oauthbearer')
    await assert.rejects(sasl.token(), /npm install aws-msk-iam-sasl-signer-js/)
  })
})

describe('TLS', () => {
  let directory = ''
  const pem: Record<string, string> = {}
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'causeway-tls-'))
    const key = join(directory, 'key.pem')
    const certificate = join(directory, 'cert.pem')
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    execFileSync('openssl', [...request, '-subj', '/CN=test', '-keyout', key, '-out', certificate], {
      stdio: 'ignore',
    })
    pem.key = readFileSync(key, 'utf8')
    pem.cert = readFileSync(certificate, 'utf8')
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    pem.other = other.export({ type: 'pkcs8', format: 'pem' }).toString()
    pem.locked = other
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'sesame' })
      .toString()
  })
  after(() => rmSync(directory, { recursive: true }))

  const tls = (entries: string) =>
    load(withSecurity(`{ tls: { ${entries} } }`), {
      files: {
        ...pem,
        'store.jks': Buffer.from('feedfeed00000002', 'hex'),
        store: Buffer.from('feedfeed00000002', 'hex'),
        'store.p12': Buffer.from('308203', 'hex'),
        text: 'hello',
        broken: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      },
      environment: { KEY: pem.key ?? '', WORD: 'sesame', CERT: pem.cert ?? '' },
    })

  test('files, texts in variables, and a name to check', () => {
    const settings = settingsOf(
      tls('ca: cert, certificate: ${env:CERT}, key: ${env:KEY}, serverName: kafka.internal'),
    )
    assert.equal(settings.tls?.ca, pem.cert)
    assert.equal(settings.tls?.certificate, pem.cert)
    assert.equal(settings.tls?.key?.reveal(), pem.key)
    assert.equal(settings.tls?.serverName, 'kafka.internal')
  })

  test('false is plaintext', () => {
    assert.equal(settingsOf(load(withSecurity('{ tls: false }'))).tls, undefined)
  })

  const wrong: [string, string, RegExp][] = [
    ['a Java key store by name', 'ca: store.jks', /Java key store.*keytool -importkeystore.*openssl pkcs12/],
    ['a Java key store by content', 'ca: store', /Java key store/],
    ['PKCS#12', 'ca: store.p12', /PKCS#12.*openssl pkcs12/],
    ['a file of something else', 'ca: text', /text holds no PEM text/],
    ['a missing file', 'ca: gone.pem', /gone\.pem does not exist/],
    ['a broken certificate', 'ca: broken', /cannot be read/],
    ['a key as authority', 'ca: key', /holds no certificate/],
    ['a certificate alone', 'certificate: cert', /"certificate" needs "key"/],
    ['a key alone', 'key: key', /"key" needs "certificate"/],
    ['a passphrase alone', 'passphrase: "${env:WORD}"', /"passphrase" needs "key"/],
    ["another certificate's key", 'certificate: cert, key: other', /does not belong to the certificate/],
    ['a locked key', 'certificate: cert, key: locked', /has no passphrase/],
    ['a key locked otherwise', 'certificate: cert, key: locked, passphrase: x', /does not open it/],
    [
      'a locked key of another certificate',
      'certificate: cert, key: locked, passphrase: "${env:WORD}"',
      /does not belong/,
    ],
    ['an unknown key', 'truststore: x', /unknown key "truststore"/],
  ]
  for (const [what, entries, expected] of wrong) {
    test(what, () => {
      const found = problemsOf(tls(entries))
      assert.equal(found.length, 1, found.join('\n'))
      assert.match(found[0] ?? '', expected)
      assert.doesNotMatch(found.join('\n'), /sesame|PRIVATE/)
    })
  }
})

describe('secrets', () => {
  test('show nowhere: not in the config as text, JSON or inspected, not in problems', () => {
    const environment = { P: 'hunter2' }
    const good = load(scram('${env:P}'), { environment })
    assert.equal(passwordOf(good), 'hunter2')
    assert.ok(good.ok)
    const [settings] = good.config.connections.values()
    const shown = [
      inspect(good, { depth: 20, showHidden: true }),
      JSON.stringify(good),
      JSON.stringify([...good.config.connections]),
      String(settings?.sasl),
      `${settings?.sasl?.mechanism === 'plain' ? settings.sasl.password : ''}`,
    ]
    for (const text of shown) assert.doesNotMatch(text, /hunter2/)
  })

  test('in wrong places are not repeated', () => {
    const texts = [
      scram('hunter2').replace('mechanism: plain', 'mechanism: hunter2'),
      scram('hunter2').replace('tls: true', 'tls: hunter2'),
      scram('[hunter2]'),
      scram('{ value: hunter2 }'),
      scram('hunter2').replace('us.example:9092', 'hunter2'),
      scram('hunter2').replace('us.example:9092', '${env:P}'),
      scram('hunter2').replace('tls: true', 'tls: { ca: "${env:P}\\n" }'),
      scram('hunter2').replace('tls: true', 'tls: { ca: "-----BEGIN hunter2" }'),
      scram('"hunter2'),
      scram('hunter2: x: y'),
      scram('*hunter2'),
      scram('"hunter2${env:NOPE}"'),
    ]
    for (const text of texts) {
      const result = load(text, { environment: { P: 'hunter2' } })
      assert.equal(result.ok, false, text)
      assert.doesNotMatch(inspect(result, { depth: 20 }) + problemsOf(result).join('\n'), /hunter2/)
    }
  })
})
