// The certified OpenID provider of npm (oidc-provider), as a company would run one: people log in on its pages, and
// access tokens for the resource `postern` are JWTs. Says `ready` when it answers.
//
//   node provider.mjs PORT CLIENTS_JSON        with NODE_PATH-like OIDC_MODULES = the folder that holds node_modules
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.env.OIDC_MODULES}/`);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

const [port, clients] = [Number(process.argv[2]), JSON.parse(process.argv[3])];
const issuer = `http://127.0.0.1:${port}`;
const people = { alice: ['engineering'], bob: ['engineering', 'dba'] };

const claims = (login) => ({
  sub: login, email: `${login}@example.com`, email_verified: true, groups: people[login] ?? [],
});

const provider = new Provider(issuer, {
  clients,
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['groups'] },
  conformIdTokenClaims: false,
  findAccount: (_, login) => ({ accountId: login, claims: () => claims(login) }),
  extraTokenClaims: (_, token) => (token.accountId ? claims(token.accountId) : {}),
  features: {
    deviceFlow: { enabled: true },
    clientCredentials: { enabled: true },
    backchannelLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:postern',
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'openid profile email', audience: 'postern', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});
provider.listen(port, '127.0.0.1', () => console.log('ready'));
