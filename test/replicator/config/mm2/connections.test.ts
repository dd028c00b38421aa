import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { inspect } from 'node:util'
import type { LoadedConfig } from '../../../../replicator/config/load-config.ts'
import { parseJaas } from '../../../../replicator/config/mm2/jaas.ts'
import { tokenFromEndpoint } from '../../../../replicator/config/mm2/token-endpoint.ts'
import { Secret } from '../../../../replicator/kafka/secret.ts'
import { type Around, configOf, loadFile, loadLines, problemsOf, warningsOf } from './mm2-files.ts'

function connectionOf(loaded: LoadedConfig) {
  const [connection] = configOf(loaded).connections.values()
  assert.ok(connection)
  return connection
}

/** A cluster A that logs in so; lines 5 to 7 and on. */
const login = (mechanism: string, jaas: string, more = '') =>
  `A.security.protocol = SASL_SSL\nA.sasl.mechanism = ${mechanism}\nA.sasl.jaas.config = ${jaas}\n${more}`

const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule'
const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule'
const oauth = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule'

describe('names and passwords', () => {
  const table: readonly [mechanism: string, jaas: string, username: string, password: string][] = [
    ['PLAIN', `${plain} required username="u" password="p;=x y";`, 'u', 'p;=x y'],
    ['SCRAM-SHA-256', `${scram} required username='u' password='a"b';`, 'u', 'a"b'],
    [
      'SCRAM-SHA-512',
      `${scram} required \\\n  username="u" \\\n  password="a\\\\"b\\\\\\\\c";`,
      'u',
      'a"b\\c',
    ],
    ['SCRAM-SHA-512', `${scram} required username=u password=p ;`, 'u', 'p'],
  ]
  for (const [mechanism, jaas, username, password] of table) {
    test(`${mechanism} ${jaas.slice(jaas.indexOf('required'))}`, () => {
      const { tls, sasl } = connectionOf(loadLines(login(mechanism, jaas)))
      assert.deepEqual(tls, {})
      assert.ok(sasl !== undefined && 'username' in sasl)
      assert.equal(sasl.mechanism, mechanism.toLowerCase())
      assert.equal(sasl.username, username)
      assert.equal(sasl.password.reveal(), password)
    })
  }

  test('written out they are warned of, and never shown', () => {
    const loaded = loadLines(login('PLAIN', `${plain} required username="u" password="hunter2";`))
    assert.deepEqual(warningsOf(loaded), [
      'mm2.properties:7:1 A.sasl.jaas.config: a secret is written out in the file; use a reference, such as ${env:NAME}, with a provider in config.providers',
    ])
    assert.ok(!inspect(loaded, { depth: 20 }).includes('hunter2'))
    assert.ok(!JSON.stringify(loaded).includes('hunter2'))
  })

  test('SASL without TLS is warned of', () => {
    const lines = login('PLAIN', `${plain} required username="u" password="\${env:P}";`)
    const clear = lines.replace('SASL_SSL', 'SASL_PLAINTEXT')
    const loaded = loadLines(clear, { environment: { P: 'x' } })
    assert.deepEqual(warningsOf(loaded), [
      'mm2.properties:5:1 A.security.protocol: SASL without TLS: credentials and records travel in clear; use SASL_SSL',
    ])
    assert.equal(connectionOf(loaded).tls, undefined)
  })

  const wrong: readonly [mechanism: string, jaas: string, problem: RegExp][] = [
    ['PLAIN', `${scram} required username="u" password="hunter2";`, /needs a PlainLoginModule/],
    ['PLAIN', `${plain} required username="u";`, /"username" and "password"/],
    ['PLAIN', `${plain} username="u" password="hunter2";`, /"required" is missing/],
    ['PLAIN', `${plain} required username="u" password="hunter2"`, /semicolon/],
    ['PLAIN', `${plain} required username="u" password="hunter2;`, /quotation mark/],
    ['PLAIN', `${plain} required username u;`, /name="value"/],
    ['PLAIN', `${plain} required username="u" password="hunter2"; ${plain} required;`, /more than one/],
    ['PLAIN', '', /no login module/],
    [
      'SCRAM-SHA-512',
      `${scram} required username="u" password="hunter2" tokenauth="true";`,
      /delegation tokens/,
    ],
    ['MAGIC', `${plain} required;`, /a SASL mechanism that is not known/],
    ['GSSAPI', 'com.sun.security.auth.module.Krb5LoginModule required;', /Kerberos/],
  ]
  for (const [mechanism, jaas, problem] of wrong) {
    test(`${mechanism} ${jaas.slice(jaas.lastIndexOf('.') + 1)}`, () => {
      const problems = problemsOf(loadLines(login(mechanism, jaas)))
      assert.equal(problems.length, 1, problems.join('\n'))
      assert.match(problems[0] ?? '', problem)
      assert.doesNotMatch(problems[0] ?? '', /hunter2/)
    })
  }

  test('what is missing is said where the log-in begins', () => {
    assert.match(
      problemsOf(loadLines('A.security.protocol = SASL_SSL\n'))[0] ?? '',
      /^mm2\.properties:5:1 .*sasl\.mechanism is missing, and Kerberos/,
    )
    const lines = 'A.security.protocol = SASL_SSL\nA.sasl.mechanism = PLAIN\n'
    assert.match(
      problemsOf(loadLines(lines))[0] ?? '',
      /^mm2\.properties:6:1 .*PLAIN needs the key "sasl\.jaas\.config"/,
    )
  })

  test('options are read as Java reads them', () => {
    assert.deepEqual(parseJaas('M required a="x\\ty\\101" b=\'\' c=d;'), {
      ok: true,
      module: 'M',
      options: new Map([
        ['a', 'x\tyA'],
        ['b', ''],
        ['c', 'd'],
      ]),
    })
  })
})

describe('tokens', () => {
  const endpoint = 'A.sasl.oauthbearer.token.endpoint.url = https://id.example/token\n'

  test('by client credentials, with extensions', () => {
    const jaas = `${oauth} required clientId="c" clientSecret="s" scope="x" extension_logicalCluster="lkc-1";`
    const { sasl } = connectionOf(loadLines(login('OAUTHBEARER', jaas, endpoint)))
    assert.ok(sasl?.mechanism === 'oauthbearer')
    assert.deepEqual(sasl.extensions, { logicalCluster: 'lkc-1' })
  })

  test('from a file', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-mm2-token-'))
    t.after(() => rmSync(directory, { recursive: true }))
    writeFileSync(join(directory, 'token'), 'abc\n')
    const more = `A.sasl.oauthbearer.token.endpoint.url = file://${directory}/token\n`
    const { sasl } = connectionOf(loadLines(login('OAUTHBEARER', `${oauth} required;`, more)))
    assert.ok(sasl?.mechanism === 'oauthbearer')
    assert.equal((await sasl.token()).reveal(), 'abc')
  })

  const wrong: readonly [what: string, jaas: string, more: string, problem: RegExp][] = [
    ['no source', `${oauth} required unsecuredLoginStringClaim_sub="x";`, '', /no source of tokens/],
    ['no client', `${oauth} required;`, endpoint, /"clientId" and "clientSecret"/],
    [
      'an impossible address',
      `${oauth} required;`,
      endpoint.replace('https', 'ftp'),
      /https:\/\/ or file:\/\//,
    ],
    [
      'a handler of its own',
      `${oauth} required clientId="c" clientSecret="s";`,
      `${endpoint}A.sasl.login.callback.handler.class = io.strimzi.kafka.oauth.client.JaasClientOauthLoginCallbackHandler\n`,
      /Java classes cannot be run/,
    ],
  ]
  for (const [what, jaas, more, problem] of wrong) {
    test(what, () => {
      const problems = problemsOf(loadLines(login('OAUTHBEARER', jaas, more)))
      assert.equal(problems.length, 1, problems.join('\n'))
      assert.match(problems[0] ?? '', problem)
    })
  }

  test('Amazon MSK: the region is in the names of the brokers', () => {
    const jaas = 'software.amazon.msk.auth.iam.IAMLoginModule required;'
    const more =
      'A.sasl.client.callback.handler.class = software.amazon.msk.auth.iam.IAMClientCallbackHandler\n'
    const msk = 'A.bootstrap.servers = b-1.x.y.c2.kafka.eu-west-1.amazonaws.com:9098\n'
    const { sasl } = connectionOf(loadLines(msk + login('AWS_MSK_IAM', jaas, more)))
    assert.equal(sasl?.mechanism, 'oauthbearer')
    assert.match(problemsOf(loadLines(login('AWS_MSK_IAM', jaas, more)))[0] ?? '', /AWS region is not in/)
    const role = jaas.replace('required', 'required awsRoleArn="arn:x"')
    assert.match(problemsOf(loadLines(msk + login('AWS_MSK_IAM', role, more)))[0] ?? '', /AWS_PROFILE/)
  })

  test('an endpoint is asked anew each time; what it is asked with is never told', async (t) => {
    let seen: { headers: IncomingMessage['headers']; body: string } | undefined
    let status = 200
    let answer = '{"access_token":"one"}'
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (data: Buffer) => {
        body += data.toString()
      })
      request.on('end', () => {
        seen = { headers: request.headers, body }
        response.writeHead(status, { 'content-type': 'application/json' }).end(answer)
      })
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    t.after(() => server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
    const token = tokenFromEndpoint({ url, clientId: 'c', clientSecret: new Secret('hunter2'), scope: 'x y' })
    assert.equal((await token()).reveal(), 'one')
    assert.equal(seen?.headers.authorization, `Basic ${Buffer.from('c:hunter2').toString('base64')}`)
    assert.equal(seen?.body, 'grant_type=client_credentials&scope=x+y')
    answer = '{"access_token":"two"}'
    assert.equal((await token()).reveal(), 'two')
    for (const wrong of ['{"hunter2":1}', 'no JSON', '{"access_token":""}']) {
      answer = wrong
      await assert.rejects(token(), (error: Error) => {
        assert.match(error.message, /^no OAuth token: 127\.0\.0\.1:\d+ answered without an access_token$/)
        return true
      })
    }
    status = 401
    await assert.rejects(token(), /answered 401$/)
    server.close()
    server.closeAllConnections()
    await assert.rejects(token(), /cannot be reached$/)
  })
})

describe('certificates', () => {
  let directory = ''
  let certificate = ''
  let key = ''
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'causeway-mm2-tls-'))
    const [keyFile, certificateFile] = [join(directory, 'k.pem'), join(directory, 'c.pem')]
    const command =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=a'.split(' ')
    execFileSync('openssl', [...command, '-keyout', keyFile, '-out', certificateFile], { stdio: 'ignore' })
    certificate = readFileSync(certificateFile, 'utf8')
    key = readFileSync(keyFile, 'utf8')
  })
  after(() => rmSync(directory, { recursive: true }))

  const load = (lines: string, files: Around['files'] = {}): LoadedConfig =>
    loadLines(`A.security.protocol = SSL\n${lines}`, { files })

  test('PEM files, key and certificate in one', () => {
    const lines =
      'A.ssl.truststore.type = PEM\nA.ssl.truststore.location = certs/ca.pem\nA.ssl.keystore.type=PEM\nA.ssl.keystore.location = client.pem\nA.ssl.truststore.password = x\n'
    const { tls } = connectionOf(
      load(lines, { 'certs/ca.pem': certificate, 'client.pem': key + certificate }),
    )
    assert.equal(tls?.ca, certificate)
    assert.equal(tls?.certificate, key + certificate)
    assert.equal(tls?.key?.reveal(), key + certificate)
  })

  test('PEM texts, with line ends or on one line as Kafka allows', () => {
    const escaped = (pem: string) => pem.trim().replaceAll('\n', '\\n')
    const oneLine = (pem: string) => pem.trim().replaceAll('\n', ' ')
    for (const written of [escaped, oneLine]) {
      const lines = `A.ssl.truststore.certificates = ${written(certificate)}\nA.ssl.keystore.certificate.chain = ${written(certificate)}\nA.ssl.keystore.key = ${written(key)}\n`
      const loaded = load(lines)
      assert.equal(connectionOf(loaded).tls?.ca?.trim(), certificate.trim())
      assert.equal(connectionOf(loaded).tls?.key?.reveal().trim(), key.trim())
      assert.match(
        warningsOf(loaded)[0] ?? '',
        /^mm2\.properties:8:1 A\.ssl\.keystore\.key: a secret is written out/,
      )
    }
  })

  const wrong: readonly [what: string, lines: string, problem: RegExp][] = [
    [
      'a key store of Java, by its type',
      'A.ssl.truststore.type = JKS\nA.ssl.truststore.location = /x/trust.jks\n',
      /:6:1 .*truststore of type JKS; PEM is needed; convert it: keytool -importkeystore -srckeystore \/x\/trust\.jks .*ssl\.truststore\.type=PEM/,
    ],
    ['a key store of Java, by its content', 'A.ssl.keystore.location = store\n', /:6:1 .*JKS.*keytool/],
    ['PKCS#12', 'A.ssl.keystore.type = PKCS12\nA.ssl.keystore.location = k.p12\n', /:6:1 .*type PKCS12/],
    ['a file that is not there', 'A.ssl.truststore.location = gone.pem\n', /:6:1 .*gone\.pem does not exist/],
    [
      'a text that is none',
      'A.ssl.keystore.key = hunter2\nA.ssl.keystore.certificate.chain = x\n',
      /:6:1 A\.ssl\.keystore\.key: holds no PEM text/,
    ],
    [
      'a key without its certificate',
      'A.ssl.keystore.key = ${dir:/etc/mm2:k.pem}\n',
      /:6:1 .*needs "certificate"/,
    ],
  ]
  for (const [what, lines, problem] of wrong) {
    test(what, () => {
      const files = { store: Buffer.from('feedfeed00000002', 'hex'), 'k.pem': key }
      const problems = problemsOf(load(lines, files))
      assert.match(problems[0] ?? '', problem)
      assert.equal(problems.length, what === 'a text that is none' ? 2 : 1, problems.join('\n'))
      assert.doesNotMatch(problems.join('\n'), /hunter2/)
    })
  }
})

describe('references', () => {
  const password = (reference: string, providers = '') =>
    `${providers}${login('PLAIN', `${plain} required username="u" password="${reference}";`)}`
  const passwordOf = (loaded: LoadedConfig) => {
    const { sasl } = connectionOf(loaded)
    assert.ok(sasl !== undefined && 'password' in sasl)
    return sasl.password.reveal()
  }
  const provider = (name: string, kind: string) =>
    `config.providers = ${name}\nconfig.providers.${name}.class = org.apache.kafka.common.config.provider.${kind}\n`
  const around: Around = {
    environment: { SECRET: 'from-env' },
    files: { 'secrets.properties': 'a.key = from-file\n', 'dir/p': 'from-dir\n' },
  }

  test("Kafka's providers, under any name", () => {
    const table: readonly [string, string, string][] = [
      ['${e:SECRET}', provider('e', 'EnvVarConfigProvider'), 'from-env'],
      ['${f:secrets.properties:a.key}', provider('f', 'FileConfigProvider'), 'from-file'],
      ['${d:/etc/mm2/dir:p}', provider('d', 'DirectoryConfigProvider'), 'from-dir'],
      ['x${e:SECRET}y', provider('e', 'EnvVarConfigProvider'), 'xfrom-envy'],
      ['${env:SECRET}', '', 'from-env'],
      ['$x{y}', '', '$x{y}'],
    ]
    for (const [reference, providers, expected] of table) {
      const loaded = loadLines(password(reference, providers), around)
      assert.equal(passwordOf(loaded), expected)
      assert.equal(warningsOf(loaded).length, reference === '$x{y}' ? 1 : 0)
    }
  })

  test('what leads nowhere is the only thing that is said', () => {
    const table: readonly [string, string, RegExp][] = [
      ['${env:NOPE}', '', /the environment variable NOPE is not set/],
      ['${file:secrets.properties:nope}', '', /has no key nope/],
      ['${file:gone:x}', '', /the file gone does not exist/],
      ['${dir:dir:nope}', '', /the file dir\/nope does not exist/],
      ['${vault:a:b}', '', /a reference to a provider that is not known; declare it/],
    ]
    for (const [reference, providers, problem] of table) {
      const problems = problemsOf(loadLines(password(reference, providers), around))
      assert.equal(problems.length, 1, problems.join('\n'))
      assert.match(problems[0] ?? '', problem)
    }
  })

  test('other providers are refused, and so is each use of them', () => {
    const providers = 'config.providers = v\nconfig.providers.v.class = com.example.VaultProvider\n'
    const problems = problemsOf(loadLines(password('${v:a:b}', providers)))
    assert.equal(problems.length, 2, problems.join('\n'))
    assert.match(problems[0] ?? '', /:6:1 config\.providers\.v\.class: not possible here/)
    assert.match(problems[1] ?? '', /:9:1 A\.sasl\.jaas\.config: .*Java class/)
  })

  test('servers, topics and all others can be references', () => {
    const text =
      'clusters = A, B\nA.bootstrap.servers = ${env:A}\nB.bootstrap.servers = SSL://b:1, b:2\nA->B.enabled = ${env:ON}\nA->B.topics=${env:T}\n'
    const loaded = loadFile('mm2.properties', text, { environment: { A: 'a:1,a:2', ON: 'true', T: 'x' } })
    const { connections, topology } = configOf(loaded)
    assert.deepEqual(
      [...connections.values()].map(({ bootstrap }) => bootstrap),
      [
        ['a:1', 'a:2'],
        ['b:1', 'b:2'],
      ],
    )
    assert.deepEqual(topology.flows[0]?.topics[0], { kind: 'name', name: 'x' })
  })
})
