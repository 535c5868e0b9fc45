// Somebody in front of a browser: opens a page of the provider, fills in what its forms ask for, and presses the button
// until there is no form left.
//
//   node person.mjs URL LOGIN
const [start, login] = process.argv.slice(2);
const cookies = new Map();

async function visit(url, form) {
  for (;;) {
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    const body = form && new URLSearchParams(form);
    const answer = await fetch(url, { method: form ? 'POST' : 'GET', headers, body, redirect: 'manual' });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      if (value) cookies.set(name, value); else cookies.delete(name);
    }
    const further = answer.headers.get('location');
    if (!further) return { url, status: answer.status, page: await answer.text() };
    [url, form] = [new URL(further, url).href, undefined];
  }
}

let here = await visit(start);
for (let step = 0; step < 8; step += 1) {
  const form = /<form[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/.exec(here.page);
  if (!form) break;
  const fields = {};
  for (const [tag] of form[2].matchAll(/<input[^>]*>/g)) {
    const attribute = (name) => new RegExp(`${name}="([^"]*)"`).exec(tag)?.[1];
    if (attribute('name')) fields[attribute('name')] = attribute('value') ?? '';
  }
  if ('login' in fields) Object.assign(fields, { login, password: 'any' });
  if (/value="yes"|name="confirm"/.test(form[2])) fields.confirm = 'yes';
  here = await visit(new URL(form[1].replaceAll('&amp;', '&'), here.url).href, fields);
}
console.log(here.status, here.page.replace(/<(style|script)[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim());
