/** What every path of the admin API begins with. */
export const ROOT = '/apisix/admin'

/** Where bodies are whole configurations, and so may be larger. */
export const CONFIGS_PATHS: readonly string[] = [`${ROOT}/configs`, `${ROOT}/configs/validate`]

/** The page for browsers; the document it shows is `openapi.json` beside it. */
export const OPENAPI_PAGE_PATH = `${ROOT}/openapi`
