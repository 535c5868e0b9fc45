// A sign-in in a real browser without a window: from the control plane's first page to the provider's and back, then the
// approval of a command line's code, then out again. In: BROWSER, CONTROL, CODE, WHO. Out: what the browser saw, as JSON.
// The modules lie in MODULES.
import { createRequire } from "node:module";

const { BROWSER, CONTROL, CODE, WHO, MODULES } = process.env;
const puppeteer = createRequire(`${MODULES}/`)("puppeteer-core");
const browser = await puppeteer.launch({
  executablePath: BROWSER, headless: "shell",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"],
});
const seen = { refused: [] };
try {
  const page = await browser.newPage();
  page.on("console", (message) => message.type() === "error" && seen.refused.push(message.text()));
  const click = async (selector) => Promise.all([page.waitForNavigation(), page.click(selector)]);
  await page.goto(`${CONTROL}/device?user_code=${CODE}`);
  await page.type("input[name=login]", WHO);
  await page.type("input[name=password]", "any");
  await click("button[type=submit]");
  if (page.url().includes("/interaction/")) await click("button[type=submit]");
  seen.after_login = page.url();
  seen.code = await page.$eval("input[name=user_code]", (input) => input.value);
  await click("main button[type=submit]");
  seen.confirmation = await page.$eval("main", (main) => main.innerText);
  await click("button[value=approve]");
  seen.approved = await page.$eval("h1", (title) => title.innerText);
  await page.goto(`${CONTROL}/`);
  seen.home = await page.$eval("main", (main) => main.innerText);
  const cookies = await browser.cookies();
  seen.session = cookies.find((cookie) => cookie.name === "postern-session");
  await page.click("form[action='/logout'] button");
  await page.waitForFunction(() => document.location.pathname.startsWith("/session/end"), { timeout: 15000 });
  seen.left_to = page.url();
} finally {
  await browser.close();
}
delete seen.session?.value;
console.log(JSON.stringify(seen));
