// Chromium, driven by lines of JSON: drive.mjs NODE_MODULES CHROMIUM. Each line of standard input is a command, {do: …}, and is
// answered with a line, {value: …} or {error: …}. The browser ends with standard input. browser.py is the other side.
//   open {url, within, viewport: {width, height}, touch, without_mse}   a page of a context of its own instead of the one
//       before. What follows is done in the frame of `within`, if it is given, else in the page
//   reload · evaluate {expression} · click {selector} · press {key} · fill {selector, text}
//   requests   URLs of all that the page has asked for
//   complaints   uncaught errors, and what its Content-Security-Policy has refused
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const LIMIT_MS = 10000;

const [node_modules, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(join(node_modules, 'here.js'))('playwright-core');
const sandbox = process.getuid() !== 0; // root can't have one
const browser = await chromium.launch({ executablePath, chromiumSandbox: sandbox, timeout: 60000 });

let context, page, within, requests, complaints;

function frame() {
  const found = within ? page.frames().find((each) => each.url().startsWith(within)) : page.mainFrame();
  if (!found) throw new Error(`no frame of ${within}`);
  return found;
}

const commands = {
  async open({ url, within: frame_url, viewport, touch, without_mse }) {
    await context?.close();
    requests = [];
    complaints = [];
    within = frame_url;
    context = await browser.newContext({ viewport, hasTouch: Boolean(touch), isMobile: Boolean(touch) });
    context.setDefaultTimeout(LIMIT_MS);
    page = await context.newPage();
    if (without_mse) await page.addInitScript('delete window.MediaSource; delete window.ManagedMediaSource; delete window.WebKitMediaSource;');
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('dialog', (dialog) => {
      complaints.push(`a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on('console', (message) => {
      if (/Content Security Policy|Permissions policy/i.test(message.text())) complaints.push(message.text());
    });
    await page.goto(url, { waitUntil: 'commit' });
  },
  async reload() {
    await page.reload({ waitUntil: 'commit' });
  },
  evaluate: ({ expression }) => frame().evaluate(expression),
  click: ({ selector }) => frame().click(selector),
  press: ({ key }) => page.keyboard.press(key),
  fill: ({ selector, text }) => frame().fill(selector, text),
  requests: () => requests,
  complaints: () => complaints,
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[command.do](command)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
await browser.close();
