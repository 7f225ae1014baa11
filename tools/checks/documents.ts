// What documents and comments name is there: paths of files in prose, links of pages, headings that links lead to; and
// no line that a formatter cannot break is wider than the house's 120 columns.

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { test } from 'node:test';

const repository = join(import.meta.dirname, '../..');
const files = globSync('**/*', {
  cwd: repository,
  withFileTypes: true,
  exclude: (entry) => ['.git', 'build', 'node_modules'].includes(entry.name),
})
  .filter((entry) => entry.isFile())
  .map((entry) => relative(repository, join(entry.parentPath, entry.name)))
  .toSorted();
const read = (path: string): string => readFileSync(join(repository, path), 'utf8');
const pages = files.filter((path) => path.endsWith('.md'));

/** Rooms at the top: what begins like this is a path of ours. */
const rooms = [...new Set(files.filter((path) => path.includes('/')).map((path) => path.split('/')[0]!))];
const inRoom = new RegExp(
  `(?<![\\w./-])(?:${rooms.map((room) => room.replaceAll('.', '\\.')).join('|')})/[\\w.*/@-]*\\w\\*?`,
  'g',
);
/** A source or page, named by the end of its path (`drivers/driver.ts`, `stop.ts`); none of the machine (`/etc/…`). */
const source = /(?<![\w./@*{}$-])[\w@][\w.*/@-]*\.(?:ts|mjs|[ch]|ps1|psm1|psd1|ps1xml|md|service)(?![\w/-])/g;
/** Made on a machine, standing for any day, or of others: the kernel's headers, OCI's pages. */
const elsewhere = /^(build|node_modules)\/|\bDAY\b|^(linux|sys|fs|include)\/.*\.h$|^config-linux\.md$/;

function isThere(path: string): boolean {
  if (elsewhere.test(path)) return true;
  if (path.includes('*')) return globSync([path, `**/${path}`], { cwd: repository }).length > 0;
  return existsSync(join(repository, path)) || files.some((file) => file.endsWith(`/${path}`));
}

const missingIn = (file: string, text: string): string[] =>
  [...text.matchAll(inRoom), ...text.matchAll(source)]
    .map(([path]) => path)
    .filter((path) => !isThere(path))
    .map((path) => `${file}: ${path}`);

test('every path that a page names is there', () => {
  assert.deepEqual(
    pages.flatMap((page) => missingIn(page, read(page))),
    [],
  );
});

test('every file that a comment names is there', () => {
  const missing = files
    .filter((path) => /\.(ts|mjs|c|h|ps1|psm1)$/.test(path))
    .flatMap((path) => {
      const comments = read(path)
        .split('\n')
        .filter((line) => /^\s*(\/\/|\/?\*|#)/.test(line))
        .filter((line) => !line.startsWith('#include'));
      return missingIn(path, comments.join('\n'));
    });
  assert.deepEqual(missing, []);
});

/** As a reader of the page gets there: letters and digits of the heading, with a hyphen for each space. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

test('every link of a page leads to a file, and to a heading that the file has', () => {
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => {
        if (/^[a-z]+:/.test(target)) return false;
        const [path, anchor] = target.split('#') as [string, string | undefined];
        const file = path === '' ? page : normalize(join(dirname(page), path));
        if (!existsSync(join(repository, file))) return true;
        if (anchor === undefined) return false;
        return ![...read(file).matchAll(/^#+ (.*)$/gm)].some(([, heading]) => anchorOf(heading!) === anchor);
      })
      .map((target) => `${page}: ${target}`),
  );
  assert.deepEqual(broken, []);
});

test('no comment and no line of C or PowerShell is wider than 120 columns', () => {
  const wide = files
    .filter((path) => /\.(ts|mjs|c|h|ps[md]?1)$/.test(path))
    .flatMap((path) =>
      read(path)
        .split('\n')
        .flatMap((line, index) => {
          const held = /\.([ch]|ps[md]?1)$/.test(path) || /^\s*(\/\/|\/?\*)/.test(line);
          return held && line.length > 120 ? [`${path}:${index + 1}`] : [];
        }),
    );
  assert.deepEqual(wide, []);
});
