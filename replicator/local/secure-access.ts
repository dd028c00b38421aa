import { pbkdf2, randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { alterUserScramCredentialsV0, type ConnectionOptions, createAclsV3 } from '@platformatic/kafka'
import { type ClientCredentials, type LocalUser, localUsers, type SecureAccess } from './cluster-options.ts'
import { conceal } from './concealed.ts'
import { withConnection } from './readiness.ts'
import { brokerUser, type SecureMaterial } from './secure-settings.ts'

/** Makes certificates and passwords under `folder` (mode 600), before the brokers start. */
export async function prepareSecurity(folder: string, expired: boolean): Promise<SecureMaterial> {
  // Only secure clusters pay for loading the certificate library.
  const { makeCertificates } = await import('./certificates.ts')
  const made = await makeCertificates({ clientName: 'causeway', nowMs: Date.now(), expired })
  const security = securityFolder(folder)
  await mkdir(security, { mode: 0o700 })
  const file = async (name: string, text: string) => {
    const path = join(security, name)
    await writeFile(path, text, { mode: 0o600 })
    return path
  }
  await file('causeway.certificate.pem', made.client.certificate)
  await file('causeway.key.pem', made.client.key)
  return {
    authorityFile: await file('ca.pem', made.authority),
    internalKeyFile: await file('internal.pem', made.internal.certificate + made.internal.key),
    serverKeyFile: await file('server.pem', made.server.certificate + made.server.key),
    brokerPassword: newPassword(),
    passwords: { admin: newPassword(), causeway: newPassword(), app: newPassword(), stranger: newPassword() },
  }
}

/** How the brokers' own principal connects to the INTERNAL listener. */
export async function brokerConnection(material: SecureMaterial): Promise<ConnectionOptions> {
  return {
    tls: { ca: await readFile(material.authorityFile, 'utf8') },
    sasl: { mechanism: 'PLAIN', username: brokerUser, password: material.brokerPassword },
  }
}

/** Gives the users their SCRAM passwords and rights, through the INTERNAL listener, once the brokers serve it. */
export async function createUsers(internalPort: number, material: SecureMaterial): Promise<void> {
  const credentials = await Promise.all(
    localUsers.map((user) => scramCredentials(user, material.passwords[user])),
  )
  await withConnection(internalPort, await brokerConnection(material), async (connection) => {
    // A request may name a user once only: one request per mechanism.
    for (const variant of scramVariants) {
      const upserts = credentials.flat().filter(({ mechanism }) => mechanism === variant.mechanism)
      await alterUserScramCredentialsV0.api.async(connection, [], upserts)
    }
    await createAclsV3.api.async(connection, allowances())
  })
}

/** Writes the credentials files of a cluster and describes how to log in. */
export async function writeAccess(
  folder: string,
  material: SecureMaterial,
  bootstrap: readonly string[],
  mutualTlsBootstrap: readonly string[],
): Promise<SecureAccess> {
  const security = securityFolder(folder)
  const write = async (user: LocalUser) => {
    const credentials: ClientCredentials = {
      bootstrap,
      mechanism: 'scram-sha-512',
      username: user,
      password: material.passwords[user],
      caFile: material.authorityFile,
    }
    const path = join(security, `${user}.json`)
    await writeFile(path, `${JSON.stringify(credentials, undefined, 2)}\n`, { mode: 0o600 })
    return path
  }
  const credentialsFiles = {
    admin: await write('admin'),
    causeway: await write('causeway'),
    app: await write('app'),
    stranger: await write('stranger'),
  }
  return {
    caFile: material.authorityFile,
    mechanism: 'scram-sha-512',
    username: 'causeway',
    password: conceal(material.passwords.causeway),
    clientCredentialsFile: credentialsFiles.causeway,
    credentialsFiles,
    mutualTls: {
      bootstrap: mutualTlsBootstrap,
      certificateFile: join(security, 'causeway.certificate.pem'),
      keyFile: join(security, 'causeway.key.pem'),
    },
  }
}

function securityFolder(folder: string): string {
  return join(folder, 'security')
}

function newPassword(): string {
  return randomBytes(18).toString('base64url')
}

/** SCRAM-SHA-256 and SCRAM-SHA-512, by their codes in the protocol. */
const scramVariants = [
  { mechanism: 1, digest: 'sha256', bytes: 32 },
  { mechanism: 2, digest: 'sha512', bytes: 64 },
] as const

/** KIP-554: brokers get the salted password (RFC 5802), never the password itself. */
async function scramCredentials(name: string, password: string) {
  const derive = promisify(pbkdf2)
  const iterations = 4096
  return Promise.all(
    scramVariants.map(async ({ mechanism, digest, bytes }) => {
      const salt = randomBytes(24)
      const saltedPassword = await derive(password, salt, iterations, bytes, digest)
      return { name, mechanism, iterations, salt, saltedPassword }
    }),
  )
}

// Codes of CreateAcls: resource types, operations, pattern LITERAL, permission ALLOW.
const resource = { topic: 2, group: 3, cluster: 4, transactionalId: 5 } as const
const operation = {
  all: 2,
  read: 3,
  write: 4,
  create: 5,
  describe: 8,
  describeConfigs: 10,
  idempotentWrite: 12,
} as const

function allowances() {
  const allow = (
    user: LocalUser,
    resourceType: keyof typeof resource,
    operations: (keyof typeof operation)[],
  ) =>
    operations.map((name) => ({
      resourceType: resource[resourceType],
      resourceName: resourceType === 'cluster' ? 'kafka-cluster' : '*',
      resourcePatternType: 3 as const,
      principal: `User:${user}`,
      host: '*',
      operation: operation[name],
      permissionType: 3 as const,
    }))
  return [
    ...allow('causeway', 'topic', ['all']),
    ...allow('causeway', 'group', ['all']),
    ...allow('causeway', 'cluster', ['all']),
    ...allow('causeway', 'transactionalId', ['all']),
    ...allow('app', 'topic', ['create', 'read', 'write', 'describe', 'describeConfigs']),
    ...allow('app', 'group', ['read', 'describe']),
    ...allow('app', 'transactionalId', ['write', 'describe']),
    ...allow('app', 'cluster', ['idempotentWrite']),
  ]
}
