// Owns where Twofold's answers differ from dockerd's on purpose, with the reason. A difference that is no more fails
// the test as well as one that is not listed.

export interface Difference {
  readonly because: string;
  /** Beginnings of a request's title, or of `SHAPE: PATH`. */
  readonly of?: readonly string[];
  /** For statuses: dockerd's and ours. */
  readonly when?: (theirs: unknown, ours: unknown) => boolean;
}

const inspected = (...paths: string[]): string[] =>
  ['as the CLI makes it', 'of an image alone', 'with most words', 'that runs', 'that has ended'].flatMap((which) =>
    paths.map((path) => `a container ${which}: ${path}`),
  );
const create = (...words: string[]): string[] => words.map((word) => `POST /containers/create ${word}`);
const ofEach = (title: string): string[] =>
  ['idle', 'up', 'still', 'ended', 'absent'].map((name) => title.replace('X', name));

export const differences: readonly Difference[] = [
  {
    because:
      'a request that cannot be right is the client’s fault: dockerd says so too since 23 (400, 409), and 20.10 says 500',
    when: (theirs, ours) => theirs === 500 && typeof ours === 'number' && ours >= 400 && ours < 500,
  },
  { because: 'Twofold does not have it yet, and says so', when: (_, ours) => ours === 501 },
  {
    because: 'isolation is what Twofold is for; dockerd on Linux has one',
    of: create('HostConfig Isolation="process"', 'HostConfig Isolation="hyperv"'),
  },
  {
    because: 'a utility VM has a kernel of its own, with control groups of version 2 alone',
    of: create('HostConfig NetworkMode="host"', 'HostConfig OomKillDisable=true'),
  },
  { because: 'an image is found without regard to case, as the walkthrough wants it', of: create('Image="BOX"') },
  { because: 'dockerd makes a container of nothing, which no start can run', of: create('Image=""') },
  {
    because: 'what no start could carry out is refused when the container is made, and not later',
    of: create(
      'Hostname=',
      'Domainname=',
      'HostConfig Dns=',
      'HostConfig DnsSearch=',
      'HostConfig DnsOptions=',
      'HostConfig ExtraHosts=["a\\nb',
      'MacAddress="nonsense"',
      'StopSignal="99"',
      'HostConfig Sysctls={"kernel.hostname":"x"}',
      'HostConfig CpuShares=-1',
      'HostConfig MemoryReservation=-1',
      'HostConfig PidsLimit=-2',
      'HostConfig NetworkMode="absent"',
      'HostConfig LogConfig={"Type":"json-file","Config":{"max-',
      'HostConfig SecurityOpt=["seccomp={"]',
      'HostConfig Tmpfs={"/t":"nonsense"}',
      'HostConfig Ulimits=',
    ),
  },
  {
    because: 'unknown conditions are refused by dockerd since 23',
    of: ofEach('POST /containers/X/wait?condition=nonsense'),
  },
  {
    because: 'dockerd 20.10 refuses a limit without one of swap beside it for a container that has neither',
    of: ['POST /containers/idle/update Memory=8388608'],
  },
  {
    because: 'a container without a terminal has no size: saying nothing would hide it',
    of: ['POST /containers/up/resize', 'POST /containers/still/resize'],
  },
  {
    because: 'two networks of one name are refused by dockerd since 25, and a range outside of its subnet since 29',
    of: [
      'POST /networks/create Name="lan"',
      'POST /networks/create IPAM={"Config":[{"Subnet":"SUBNET.0/24","IPRange":"192.0.2.0/24"}]}',
    ],
  },
  {
    because: 'a switch with the loopback’s addresses would take them from the host',
    of: ['POST /networks/create IPAM={"Config":[{"Subnet":"127.'],
  },
  {
    because: 'a network’s name is a switch’s, and part of names that are looked up',
    of: ['POST /networks/create Name="ä"'],
  },
  {
    because: 'every container has control groups of its own to see, as dockerd has it on version 2',
    of: inspected('HostConfig.CgroupnsMode'),
  },
  { because: 'gone from the API since 1.42', of: inspected('HostConfig.KernelMemory') },
  { because: 'hidden paths are those of today’s dockerd, which are more', of: inspected('HostConfig.MaskedPaths') },
  {
    because: 'the runtime’s name, and `no`, are told from the beginning, as today’s dockerd does',
    of: [
      ...['of an image alone', 'that runs', 'that has ended'].map(
        (which) => `a container ${which}: HostConfig.RestartPolicy.Name`,
      ),
      'a container of an image alone: HostConfig.Runtime',
    ],
  },
  { because: 'gone from the API since 1.45', of: ['an image: Container'] },
  {
    because: 'of an image’s configuration OCI has less, and dockerd shows no more since API 1.50',
    of: ['AttachStd', 'Domainname', 'Hostname', 'Image', 'OpenStdin', 'StdinOnce', 'Tty'].map(
      (key) => `an image: Config.${key}`,
    ),
  },
  { because: 'a list without entries is an empty one, since API 1.43', of: ['the list of images: [].RepoDigests'] },
  {
    because: 'a network that is not there cannot be connected to, also while the container does not run',
    of: ['POST /networks/absent/connect {"Container":"idle"}', 'POST /networks/absent/disconnect {"Container":"idle"}'],
  },
  {
    because: 'a signal that is none is told first, whatever its number',
    of: ['POST /containers/absent/kill?signal=99'],
  },
  {
    because: 'a filter that does not exist is refused here as in every other list',
    of: ['GET /events?until=1&filters={"nonsense":["1"]}'],
  },
  {
    because: 'some addresses are the kernel’s own, and no container could be reached there',
    of: ['POST /networks/create IPAM={"Config":[{"Subnet":"0.0.0.0/8"}]}'],
  },
  { because: 'new in API 1.47', of: ['a network: EnableIPv4'] },
];
