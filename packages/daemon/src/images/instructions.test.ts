import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isTwofoldError } from '@twofold/contract';
import { applyChanges } from './instructions.ts';

test('each instruction changes its part of the configuration', () => {
  assert.deepEqual(
    applyChanges({ Env: ['A=1', 'B=2'], Cmd: ['old'], WorkingDir: '/srv' }, [
      'ENTRYPOINT ["/csrss"]',
      'cmd echo "hi there" $HOME',
      'ENV B=3 C="d e" D=${A}x',
      'ENV E one two',
      'EXPOSE 80 53/udp 8000-8001',
      'LABEL a=b "c d"=\'e f\'',
      'USER 1000:1000',
      'WORKDIR www',
      'WORKDIR /x\nWORKDIR ../y',
      'STOPSIGNAL SIGQUIT',
      'VOLUME ["/data", "/a b"]',
      'VOLUME /c /d',
      'ONBUILD RUN make',
      'onbuild copy . /src',
      'HEALTHCHECK --interval=1m30s --start-period=500ms --retries=4 CMD wget -q localhost || exit 1',
    ]),
    {
      Entrypoint: ['/csrss'],
      Cmd: ['/bin/sh', '-c', 'echo "hi there" $HOME'],
      Env: ['A=1', 'B=3', 'C=d e', 'D=1x', 'E=one two'],
      ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {} },
      Labels: { a: 'b', 'c d': 'e f' },
      User: '1000:1000',
      WorkingDir: '/y',
      StopSignal: 'SIGQUIT',
      Volumes: { '/data': {}, '/a b': {}, '/c': {}, '/d': {} },
      OnBuild: ['RUN make', 'copy . /src'],
      Healthcheck: { Test: ['CMD-SHELL', 'wget -q localhost || exit 1'], Interval: 90e9, StartPeriod: 5e8, Retries: 4 },
    },
  );
});

test('a new entry point forgets the old command, unless one is given too', () => {
  assert.deepEqual(applyChanges({ Cmd: ['old'] }, ['ENTRYPOINT ["x"]']), { Entrypoint: ['x'] });
  assert.deepEqual(applyChanges({ Cmd: ['old'] }, ['CMD ["new"]', 'ENTRYPOINT ["x"]']), {
    Cmd: ['new'],
    Entrypoint: ['x'],
  });
});

test('a health check is taken away, and replaced as a whole', () => {
  const before = { Healthcheck: { Test: ['CMD', 'x'], Retries: 3 } };
  assert.deepEqual(applyChanges(before, ['HEALTHCHECK NONE']), { Healthcheck: { Test: ['NONE'] } });
  assert.deepEqual(applyChanges(before, ['HEALTHCHECK CMD ["y", "z"]']), { Healthcheck: { Test: ['CMD', 'y', 'z'] } });
});

test('what is no change is refused', () => {
  for (const change of [
    'FROM scratch',
    'RUN true',
    'nonsense',
    'ONBUILD',
    'ONBUILD ONBUILD RUN x',
    'ONBUILD FROM x',
    'HEALTHCHECK',
    'HEALTHCHECK CMD',
    'HEALTHCHECK NONE x',
    'HEALTHCHECK --interval=soon CMD x',
    'HEALTHCHECK --often=1 CMD x',
    'ENV',
    'ENV =x',
    'EXPOSE http',
    'EXPOSE 70000',
    'LABEL "a=b',
    'VOLUME [""]',
  ])
    assert.throws(
      () => applyChanges({}, [change]),
      (error) => isTwofoldError(error, 'invalid-argument'),
      change,
    );
});

test('whatever comes, the answer is a configuration or invalid-argument', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('ENV', 'LABEL', 'CMD', 'EXPOSE', 'VOLUME', 'USER', 'WORKDIR'),
      fc.stringMatching(/^[ab =$"'{}\\:\n[\],-]{0,40}$/),
      (word, text) => {
        try {
          applyChanges({ Env: ['a=b'] }, [`${word} ${text}`]);
        } catch (error) {
          assert.ok(isTwofoldError(error, 'invalid-argument'), String(error));
        }
      },
    ),
  );
});
