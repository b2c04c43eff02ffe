/**
 * Two origins on one machine: a small service desk, and the page that it shows in a frame.
 *
 * node infra/examples/embedding/server.mjs [--api URL] [--desk-port PORT] [--frame-port PORT]
 *
 * Only for trying out: the sign-in is an imitation.
 */

import { createServer } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createSessions } from "./sessions.mjs";
import { serveFiles } from "./static.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const CONSOLE = path.resolve(HERE, "../../console");

/** Sources that both pages allow. Nothing is allowed that is not listed. */
const STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

async function listen(server, port) {
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

/** The desk: its pages, and a frame of the other origin. */
function deskListener(frame) {
  return serveFiles({ roots: [["/", path.join(HERE, "desk")]], policy: `${STRICT}; frame-src ${frame}; frame-ancestors 'none'`, values: { frame } });
}

/** The framed page, the files of the Profile tab, and `POST /session`, which returns a token. */
function frameListener({ api, desk }) {
  const sessions = createSessions();
  const files = serveFiles({
    roots: [["/profile-tab/", CONSOLE], ["/adapters.mjs", path.join(HERE, "adapters.mjs")], ["/", path.join(HERE, "frame")]],
    policy: `${STRICT}; connect-src 'self' ${api}; img-src 'self' https: ${api}; frame-ancestors ${desk}`,
    values: { api, desk },
  });
  return (request, response) => {
    if (request.url === "/session") return sessions.respond(request, response);
    return files(request, response, request.url === "/" ? sessions.signIn(request) : {});
  };
}

const { values: options } = parseArgs({
  options: {
    api: { type: "string", default: "http://127.0.0.1:3000" },
    "desk-port": { type: "string", default: "8090" },
    "frame-port": { type: "string", default: "8091" },
  },
});
const api = new URL(options.api).origin;

// Each origin names the other in its policy, so both ports are opened before the first request.
const listeners = {};
const [deskServer, frameServer] = ["desk", "frame"].map((name) => createServer((request, response) => listeners[name](request, response)));
const desk = await listen(deskServer, Number(options["desk-port"]));
const frame = await listen(frameServer, Number(options["frame-port"]));
listeners.desk = deskListener(frame);
listeners.frame = frameListener({ api, desk });
console.log(`ready desk=${desk} frame=${frame} api=${api}`);
