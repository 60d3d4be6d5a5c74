// assemble.mjs OUTPUT NODE_MODULES: makes of the player page's files and hls.js the assets that page.h tells of, as files in
// OUTPUT, each also as .gz, and OUTPUT/assets.cpp, which takes them into the executable. The names of all but the page
// itself hold a digest of their content; {{NAME}} in a text becomes the name of that asset.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const NAME_DIGITS = 12, ETAG_DIGITS = 32; // of the SHA-256, hexadecimal
const TYPES = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
};

const [output, node_modules] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const hls = join(node_modules, 'hls.js');
const read = (...path) => readFileSync(join(...path), 'utf8');
const version = JSON.parse(read(hls, 'package.json')).version;
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

const names = { 'hls.js version': version }; // what stands in {{ }}
const assets = [];

function fill_in(text) {
  return text.replace(/\{\{(.+?)\}\}/g, (_, name) => {
    if (!(name in names)) throw new Error(`{{${name}}} is no asset made before`);
    return names[name];
  });
}

function add(name, text) {
  const [stem, extension] = name.split('.');
  const digest = sha256(text);
  const file = extension === 'html' ? name : `${stem}-${digest.slice(0, NAME_DIGITS)}.${extension}`;
  names[name] = file;
  assets.push({ file, type: TYPES[extension], digest: digest.slice(0, ETAG_DIGITS) });
  writeFileSync(join(output, file), text);
  writeFileSync(join(output, `${file}.gz`), gzipSync(text, { level: 9 }));
}

// A built file of hls.js as it is, but for the name of a map that is not served.
function built(name) {
  return `/* hls.js ${version}, Apache License 2.0: ${names['licences.txt']} */\n` + read(hls, 'dist', name).replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
}

function licences() {
  return `This page plays with hls.js ${version}, https://github.com/video-dev/hls.js, whose licence this is:\n\n${read(hls, 'LICENSE')}\n\n` +
    read('/usr/share/common-licenses/Apache-2.0'); // of Debian's base-files
}

function incbin(symbol, path) {
  const lines = ['.pushsection .rodata', `.global ${symbol}`, `${symbol}:`, `.incbin ${JSON.stringify(path)}`, `.global ${symbol}_end`,
    `${symbol}_end:`, '.popsection'];
  return `asm(${JSON.stringify(lines.join('\n') + '\n')});\nextern "C" const uint8_t ${symbol}[], ${symbol}_end[];\n`;
}

function source() {
  let text = '// Made by workers/hls/page/assemble.mjs.\n#include "workers/hls/page/page.h"\n\n#include "workers/hls/page/assets.h"\n\n';
  let rows = '';
  assets.forEach(({ file, type, digest }, i) => {
    const symbol = `sluice_hls_page_${i}`;
    text += incbin(symbol, join(output, file)) + incbin(`${symbol}_gzip`, join(output, `${file}.gz`));
    rows += `    {${JSON.stringify(file)}, ${JSON.stringify(type)}, ` +
      `{${JSON.stringify(`"${digest}"`)}, Bytes(${symbol}, ${symbol}_end)}, ` +
      `{${JSON.stringify(`"${digest}-gzip"`)}, Bytes(${symbol}_gzip, ${symbol}_gzip_end)}},\n`;
  });
  return `${text}\nnamespace sluice::hls {\n\n// The page is the last.\nstatic const PageAsset kAssets[] = {\n${rows}};\n\n` +
    'std::span<const PageAsset> built_in_assets() {\n  return kAssets;\n}\n\n} // namespace sluice::hls\n';
}

mkdirSync(output, { recursive: true });
add('licences.txt', licences());
add('hls.js', built('hls.light.min.mjs'));
add('hls-worker.js', built('hls.worker.js'));
add('player.css', fill_in(read(here, 'player.css')));
add('player.js', fill_in(read(here, 'player.js')));
add('index.html', fill_in(read(here, 'index.html')));
writeFileSync(join(output, 'assets.cpp'), source());
