// A certified SSO provider for the tests: signs in whoever types an address, and rotates its keys when it is told to.
// In: PORT, ISSUER, CONTROL (the control plane's URL) in the environment. POST /test/rotate makes new keys; POST
// /test/rotate?forget=1 withdraws the old ones at once.
// The modules lie in MODULES.
import * as http from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { PORT, ISSUER, CONTROL, MODULES } = process.env;
const there = createRequire(`${MODULES}/`);
const module = (name) => import(pathToFileURL(there.resolve(name)).href);
const { generateKeyPair, exportJWK } = await module("jose");
const { default: Provider } = await module("oidc-provider");
const { default: MemoryAdapter } = await module("oidc-provider/lib/adapters/memory_adapter.js");

const groups = { "alice@example.com": ["engineering"], "bob@example.com": ["engineering", "dba"] };

// What was begun under the old keys goes on under the new ones: its room is the module's, not the provider's.
class adapter extends MemoryAdapter {}

async function key() {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { ...jwk, alg: "ES256", use: "sig", kid: `key-${Math.random().toString(36).slice(2)}` };
}

function provider(keys) {
  const built = new Provider(ISSUER, {
    adapter,
    jwks: { keys },
    cookies: { keys: ["a secret of the tests"] },
    conformIdTokenClaims: false,
    claims: { openid: ["sub", "groups"], email: ["email", "email_verified"], profile: ["name"] },
    scopes: ["openid", "offline_access", "email", "profile"],
    features: {
      deviceFlow: { enabled: true },
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => "urn:postern:databases",
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: "openid email profile", audience: "postern", accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
    extraTokenClaims: async (_, token) => ({
      email: token.accountId, email_verified: true, groups: groups[token.accountId] ?? [],
    }),
    clients: [
      {
        client_id: "postern", client_secret: "a secret of the control plane", id_token_signed_response_alg: "ES256",
        redirect_uris: [`${CONTROL}/login/callback`], post_logout_redirect_uris: [`${CONTROL}/`],
        backchannel_logout_uri: `${CONTROL}/login/backchannel-logout`, backchannel_logout_session_required: true,
        grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
      },
      {
        client_id: "psql", token_endpoint_auth_method: "none", id_token_signed_response_alg: "ES256",
        application_type: "native", redirect_uris: [], response_types: [],
        grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
      },
    ],
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: id, email: id, email_verified: true, groups: groups[id] ?? [] }),
    }),
    ttl: { Session: 3600, Grant: 3600, Interaction: 600, IdToken: 3600, AccessToken: 3600, DeviceCode: 600 },
  });
  for (const event of ["server_error", "backchannel.error", "grant.error", "authorization.error"]) {
    built.on(event, (...said) => console.error(event, ...said.filter((one) => one instanceof Error)));
  }
  return built;
}

let keys = [await key()];
let handle = provider(keys).callback();
http
  .createServer(async (request, response) => {
    if (request.method === "POST" && request.url.startsWith("/test/rotate")) {
      const fresh = await key();
      keys = request.url.includes("forget") ? [fresh] : [fresh, ...keys];
      handle = provider(keys).callback();
      response.end("rotated");
      return;
    }
    handle(request, response);
  })
  .listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
