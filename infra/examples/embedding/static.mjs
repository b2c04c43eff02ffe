/** Serves files of a few folders, with the headers of the guide. */

import { readFile } from "node:fs/promises";
import path from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
};

/** The file that a path names. `roots` is a list of `[prefix, folder]` and `[path, file]`; the first prefix that fits decides. */
function find(pathname, roots) {
  const [prefix, folder] = roots.find(([start]) => pathname.startsWith(start)) ?? [];
  if (!folder) return undefined;
  if (pathname === prefix && TYPES[path.extname(folder)]) return folder;
  const file = path.join(folder, pathname === "/" ? "index.html" : pathname.slice(prefix.length));
  return file.startsWith(folder + path.sep) && TYPES[path.extname(file)] ? file : undefined;
}

/**
 * A request listener for static files. `values` replaces `{{name}}` in pages. `headers` are sent with each response; `policy` is the
 * content security policy.
 */
export function serveFiles({ roots, policy, values = {} }) {
  return async (request, response, headers = {}) => {
    const file = find(new URL(request.url, "http://localhost").pathname, roots);
    const body = file && ["GET", "HEAD"].includes(request.method) ? await readFile(file).catch(() => undefined) : undefined;
    const isPage = body !== undefined && path.extname(file) === ".html";
    response.writeHead(body === undefined ? 404 : 200, {
      "content-type": body === undefined ? "text/plain" : TYPES[path.extname(file)],
      "content-security-policy": policy,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
      ...headers,
    }).end(isPage ? body.toString().replace(/\{\{(\w+)\}\}/g, (_, name) => values[name] ?? "") : body);
  };
}
