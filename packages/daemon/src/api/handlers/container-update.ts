// Owns POST /containers/{name}/update: Docker's resources and restart policy, and Twofold's `Isolation` with `DryRun`
// (docs/api-extensions.md).

import { type HostConfig, TwofoldError } from '@twofold/contract';
import * as v from 'valibot';
import type { ConversionPlan, RequestedIsolation } from '../../engine/engine.ts';
import { readJson } from '../body.ts';
import { changeLimitMs, type Context } from '../context.ts';
import { checkResources } from '../create/command.ts';
import { isUnset, refuseInResources, resourceWords } from '../create/refusals.ts';
import { resourceEntries } from '../create/schema.ts';
import type { Reading } from '../json.ts';
import { sendJson } from '../respond.ts';

const entries = { ...resourceEntries, Isolation: v.optional(v.string()), DryRun: v.optional(v.boolean()) } as const;
const resources = v.object(resourceEntries);
const request = v.pipe(
  v.looseObject(entries),
  v.title('container.UpdateConfig'),
  v.metadata({ words: resourceWords } satisfies Reading),
);

export async function updateContainer(context: Context): Promise<void> {
  const name = context.parameters['name']!;
  const body = await readJson(context, request);
  const warnings = refuseInResources(body, entries);
  const change = setOnly(v.parse(resources, body));
  checkResources(change);
  if (isUnset(body.Isolation)) {
    if (body.DryRun === true) throw new TwofoldError('invalid-argument', 'DryRun can only be used with Isolation.');
    const updated = await context.engine.containers.update(name, { hostConfig: change });
    return sendJson(context, { Warnings: [...warnings, ...updated.warnings] });
  }
  if (Object.keys(change).length > 0)
    throw new TwofoldError(
      'invalid-argument',
      'Isolation cannot be changed together with resources: update the resources in a separate request.',
    );
  const to = isolationOf(body.Isolation!);
  const { containers } = context.engine;
  const plan =
    body.DryRun === true
      ? containers.planConversion(name, to)
      : await containers.convert(name, to, context.lasting(changeLimitMs));
  sendJson(context, { Warnings: warnings, Conversion: conversionView(plan, body.DryRun === true) });
}

function isolationOf(text: string): RequestedIsolation {
  const isolation = (['default', 'process', 'hyperv'] as const).find((one) => one === text.toLowerCase());
  if (isolation === undefined)
    throw new TwofoldError(
      'invalid-argument',
      `invalid isolation "${text.slice(0, 40)}": a container can be converted to process, hyperv or default`,
    );
  return isolation;
}

function conversionView(plan: ConversionPlan, dryRun: boolean): Record<string, unknown> {
  return {
    From: plan.from,
    To: plan.to,
    Carries: plan.carries,
    Changes: plan.changes,
    Refusals: plan.refusals,
    DryRun: dryRun,
  };
}

/** docker sends zero for every resource that was not named. */
function setOnly(change: v.InferOutput<typeof resources>): Partial<HostConfig> {
  const kept = Object.fromEntries(
    Object.entries(change).filter(([key, value]) =>
      key === 'RestartPolicy' ? !isUnset((value as { Name?: string } | undefined)?.Name) : !isUnset(value),
    ),
  );
  return kept as Partial<HostConfig>;
}
