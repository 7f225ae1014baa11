import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { createRequest, execStart, hostConfig } from './create/schema.ts';
import { readAs } from './json.ts';

const read = (text: string) => v.parse(createRequest, readAs(createRequest, JSON.parse(text)));
const refused = (text: string): string => {
  try {
    readAs(createRequest, JSON.parse(text));
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing';
};

test('keys are found in any case, wherever a structure is', () => {
  const body = read(
    '{"image":"a","HOSTCONFIG":{"memory":1,"nanoCPUs":2,"BINDS":["/a:/b"],"portbindings":{"80/TCP":[]}}}',
  );
  assert.equal(body.Image, 'a');
  assert.deepEqual(body.HostConfig, { Memory: 1, NanoCpus: 2, Binds: ['/a:/b'], PortBindings: { '80/TCP': [] } });
  assert.deepEqual(readAs(execStart, { tty: true, DETACH: false }), { Tty: true, Detach: false });
  assert.deepEqual(readAs(hostConfig, { CpuſhareS: 1 }), { CpuShares: 1 });
});

test('keys of a map are what they are', () => {
  const body = read('{"Labels":{"a":"1","A":"2"},"networkingconfig":{"endpointsconfig":{"Lan":{"aliases":["x"]}}}}');
  assert.deepEqual(body.Labels, { a: '1', A: '2' });
  assert.deepEqual(body.NetworkingConfig.EndpointsConfig, { Lan: { Aliases: ['x'] } });
});

test('of a key that comes twice the last value counts, and structures are filled up', () => {
  assert.equal(read('{"Image":"a","image":"b"}').Image, 'b');
  assert.deepEqual(read('{"HostConfig":{"Memory":1,"CpuShares":2},"hostconfig":{"memory":3}}').HostConfig, {
    Memory: 3,
    CpuShares: 2,
  });
  assert.equal('Cmd' in read('{"Cmd":["a"],"cmd":null}'), false);
});

test('null is what was not set, and the zero value of an element', () => {
  const body = read(
    '{"Labels":{"a":null},"Env":[null],"Cmd":null,"ExposedPorts":{"80/tcp":null},"HostConfig":null,"NetworkingConfig":{"EndpointsConfig":{"lan":null}}}',
  );
  assert.deepEqual(body, {
    Labels: { a: '' },
    Env: [''],
    ExposedPorts: { '80/tcp': {} },
    HostConfig: {},
    NetworkingConfig: { EndpointsConfig: { lan: {} } },
  });
  assert.deepEqual(readAs(createRequest, null), {});
});

test('words may be one word, and an array of a fixed length any array', () => {
  assert.deepEqual(read('{"Cmd":"true","Entrypoint":["a",null]}').Cmd, ['true']);
  assert.deepEqual(v.parse(hostConfig, readAs(hostConfig, { capadd: 'ALL', CapDrop: ['MKNOD'] })), {
    CapAdd: ['ALL'],
    CapDrop: ['MKNOD'],
  });
  assert.deepEqual(readAs(hostConfig, { ConsoleSize: [1] }), { ConsoleSize: [1, 0] });
  assert.deepEqual(readAs(hostConfig, { ConsoleSize: [1, 2, 3] }), { ConsoleSize: [1, 2] });
});

test('a value of another type is refused in the words of Go, as dockerd says it', () => {
  const messages: [text: string, words: string][] = [
    ['{"HostConfig":{"Memory":"8m"}}', 'string into Go struct field HostConfig.HostConfig.Memory of type int64'],
    ['{"HostConfig":{"Memory":1.5}}', 'number 1.5 into Go struct field HostConfig.HostConfig.Memory of type int64'],
    ['{"hostconfig":[]}', 'array into Go struct field CreateRequest.HostConfig of type container.HostConfig'],
    ['{"Labels":{"a":1}}', 'number into Go struct field CreateRequest.Labels of type string'],
    ['{"Labels":[]}', 'array into Go struct field CreateRequest.Labels of type map[string]string'],
    ['{"Volumes":[]}', 'array into Go struct field CreateRequest.Volumes of type map[string]struct {}'],
    ['{"Env":"A=b"}', 'string into Go struct field CreateRequest.Env of type []string'],
    ['{"Env":[1]}', 'number into Go struct field CreateRequest.Env of type string'],
    ['{"TTY":"true"}', 'string into Go struct field CreateRequest.Tty of type bool'],
    ['{"Cmd":7}', 'number into Go struct field CreateRequest.Cmd of type string'],
    ['{"Cmd":[7]}', 'array into Go struct field CreateRequest.Cmd of type string'],
    [
      '{"HostConfig":{"Ulimits":[{"Name":1}]}}',
      'number into Go struct field Ulimit.HostConfig.Ulimits.Name of type string',
    ],
    [
      '{"HostConfig":{"ConsoleSize":["x",1]}}',
      'string into Go struct field HostConfig.HostConfig.ConsoleSize of type uint',
    ],
    [
      '{"NetworkingConfig":{"EndpointsConfig":{"a":{"Aliases":"x"}}}}',
      'string into Go struct field EndpointSettings.NetworkingConfig.EndpointsConfig.Aliases of type []string',
    ],
    ['[]', 'array into Go value of type container.CreateRequest'],
  ];
  for (const [text, words] of messages)
    assert.equal(refused(text), `invalid JSON: json: cannot unmarshal ${words}`, text);
});

test('a key that would be the prototype is none', () => {
  const body = read('{"__proto__":{"Image":"a"},"Labels":{"__proto__":"x"}}');
  assert.equal(body.Image, undefined);
  assert.deepEqual(Object.keys(body.Labels ?? {}), []);
});
