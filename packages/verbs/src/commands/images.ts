// Owns `twofold images`.

import type { Command } from 'commander';
import type { Client } from '../client.ts';
import { withDaemon } from '../connect.ts';
import { formatOption, type Format } from '../options.ts';
import { print, printEach, renderTable } from '../output.ts';

export function register(program: Command, client: Client): void {
  program
    .command('images')
    .description('Lists images. Both isolations run the same ones.')
    .option('-q, --quiet', 'ids only')
    .addOption(formatOption())
    .action(async (options: { quiet?: true; format: Format }, command: Command) =>
      withDaemon(command, client, async (twofold) => {
        const images = await twofold.images.list();
        const short = (id: string): string => id.replace(/^sha256:/, '').slice(0, 12);
        if (options.quiet === true)
          return printEach(
            client,
            images.map(({ Id }) => short(Id)),
          );
        if (options.format === 'json') return print(client, JSON.stringify(images, null, 2));
        const rows = images.flatMap((image) =>
          (image.RepoTags?.length ? image.RepoTags : ['<none>:<none>']).map((tag) => {
            const at = tag.lastIndexOf(':');
            return [tag.slice(0, at), tag.slice(at + 1), short(image.Id), `${(image.Size / 1e6).toFixed(1)} MB`];
          }),
        );
        await print(client, renderTable(['REPOSITORY', 'TAG', 'IMAGE ID', 'SIZE'], rows));
      }),
    );
}
