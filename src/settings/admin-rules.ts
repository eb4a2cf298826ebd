import type { AdminKey, AdminSettings } from './settings.ts'

/** A key this short can be guessed; APISIX's samples have 32. */
const SHORT_KEY = 16

/** What is wrong between keys of `deployment.admin` that are each fine by themselves; one sentence each. */
export function brokenAdminRules({ admin_key, https_admin, admin_api_mtls }: AdminSettings): string[] {
  const problems = admin_key.filter(({ scope }) => scope && Object.keys(scope).length === 0).map(emptyScope)
  const { admin_ssl_cert, admin_ssl_cert_key } = admin_api_mtls
  if (https_admin && (!admin_ssl_cert || !admin_ssl_cert_key)) {
    problems.push(
      'deployment.admin.https_admin: true needs the paths of a certificate and its key in admin_api_mtls.admin_ssl_cert and admin_api_mtls.admin_ssl_cert_key',
    )
  }
  admin_key.forEach((entry, index) => {
    const twin = admin_key.slice(0, index).find(({ key }) => key === entry.key)
    if (twin !== undefined && (twin.scope || entry.scope)) problems.push(twins(twin, entry))
  })
  return problems
}

/** What is allowed but worth a sentence at start. */
export function doubtfulAdminKeys({ admin_key }: AdminSettings): string[] {
  return admin_key
    .filter(({ key }) => key.length < SHORT_KEY)
    .map(
      ({ name }) =>
        `deployment.admin.admin_key: the key of "${name}" has fewer than ${SHORT_KEY} characters and can be guessed; use a longer one`,
    )
}

function emptyScope({ name }: AdminKey): string {
  return `deployment.admin.admin_key: the scope of "${name}" limits nothing; name verbs, resources, id_prefix or label in it, or leave it out`
}

function twins(one: AdminKey, other: AdminKey): string {
  return `deployment.admin.admin_key: "${one.name}" and "${other.name}" have the same key, so that the scope of one is not what the other says; give each its own`
}
