// A browser, driven by lines of JSON: drive.mjs NODE_MODULES chromium|firefox EXECUTABLE. Each line of standard input is a
// command, {do: …}, and is answered with a line, {value: …} or {error: …}. The browser ends with standard input. browser.py
// is the other side.
//   open {url, within, viewport: {width, height}, touch, without_mse}   a page in a context and a window of its own; answers
//       its number. What follows is told it as `page`, and is done in the frame of `within`, if it was given, else in the page
//   reload · evaluate {expression} · click {selector} · press {key} · fill {selector, text} · close
//   requests   all that the page has asked for: {url, authorization}
//   complaints   uncaught errors, and what its Content-Security-Policy has refused
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const LIMIT_MS = 10000;
const START_LIMIT_MS = 60000;

const [node_modules, name, executablePath] = process.argv.slice(2);
const puppeteer = createRequire(join(node_modules, 'here.js'))('puppeteer-core');
const watch = readFileSync(new URL('watch.js', import.meta.url), 'utf8');
const chromium = name === 'chromium';
const browser = await puppeteer.launch({
  browser: chromium ? 'chrome' : 'firefox',
  executablePath,
  acceptInsecureCerts: true,
  args: chromium && process.getuid() === 0 ? ['--no-sandbox'] : [], // root can't have one
  timeout: START_LIMIT_MS,
  protocolTimeout: START_LIMIT_MS,
});

const pages = [];

class Page {
  requests = [];
  complaints = [];

  async open({ url, within, viewport, touch, without_mse }) {
    this.within = within;
    this.context = await browser.createBrowserContext();
    this.page = await this.context.newPage(chromium ? undefined : { type: 'window' });
    this.page.setDefaultTimeout(LIMIT_MS);
    this.page.setDefaultNavigationTimeout(START_LIMIT_MS);
    await this.page.setViewport(touch ? { ...viewport, hasTouch: true, isMobile: true } : viewport);
    await this.page.evaluateOnNewDocument(watch);
    if (without_mse) {
      await this.page.evaluateOnNewDocument('delete window.MediaSource; delete window.ManagedMediaSource; delete window.WebKitMediaSource;');
    }
    this.page.on('request', (request) => this.requests.push({ url: request.url(), authorization: request.headers().authorization ?? null }));
    this.page.on('pageerror', (error) => this.complaints.push(String(error)));
    this.page.on('dialog', (dialog) => {
      this.complaints.push(`a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    this.page.on('console', (message) => {
      if (/Content.Security.Policy|Permissions policy/i.test(message.text())) this.complaints.push(message.text());
    });
    await this.page.goto(url, { waitUntil: 'domcontentloaded' });
  }

  frame() {
    const found = this.within ? this.page.frames().find((each) => each.url().startsWith(this.within)) : this.page.mainFrame();
    if (!found) throw new Error(`no frame of ${this.within}`);
    return found;
  }
}

const commands = {
  async open(command) {
    const page = new Page();
    pages.push(page);
    await page.open(command);
    return pages.length - 1;
  },
  reload: ({ page }) => page.page.reload({ waitUntil: 'domcontentloaded' }).then(() => null),
  evaluate: ({ page, expression }) => page.frame().evaluate(expression),
  click: ({ page, selector }) => page.frame().locator(selector).click(),
  press: ({ page, key }) => page.page.keyboard.press(key),
  fill: ({ page, selector, text }) => page.frame().locator(selector).fill(text),
  close: ({ page }) => page.context.close(),
  requests: ({ page }) => page.requests,
  complaints: ({ page }) => page.complaints,
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[command.do]({ ...command, page: pages[command.page] })) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
await browser.close();
