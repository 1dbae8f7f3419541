// Which queries the words of a filter want, as the server has it. The server refuses what is no filter.

const denials = ['nxdomain', 'nodata'], answers = ['good', 'cname'];
const isDenied = (r) => denials.includes(r.verdict);
const isFailed = (r) => !isDenied(r) && !answers.includes(r.verdict);

const units = { ns: 1e-9, us: 1e-6, 'µs': 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };

function seconds(text) {
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/([0-9.]+)(ns|us|µs|ms|s|m|h)/g)) sum += number * units[unit];
  return sum;
}

// means says whether a word means the upstream of that name: it is that, or its address or host.
function means(name, word) {
  if (!name || !word) return false;
  if (name === word) return true;
  let rest = name.replace(/^[^:]*:\/\//, '').replace(/\/.*/, '');
  const port = /^(\[.*\]|[^:]*):[^:\]]*$/.exec(rest);
  if (port) rest = port[1];
  const bare = (s) => s.replace(/^[[\]]+|[[\]]+$/g, '');
  word = bare(word);
  rest = bare(rest);
  if (rest === word) return true;
  const at = rest.indexOf('%');
  if (at < 0) return false;
  const address = rest.slice(0, at), host = rest.slice(at + 1);
  return address === word || bare(address) === word || host === word && host.includes('.');
}

const types = /^(A|AAAA|ANY|CAA|CNAME|DNAME|DNSKEY|DS|HINFO|HTTPS|LOC|MX|NAPTR|NS|NSEC3?|NULL|OPENPGPKEY|PTR|RRSIG|SMIMEA|SOA|SPF|SRV|SSHFP|SVCB|TLSA|TXT|URI)$/i;

function wants(word) {
  if (word[0] === '!') {
    const not = wants(word.slice(1));
    return (r) => !not(r);
  }
  if (word[0] === '@') return (r) => means(r.upstream, word.slice(1));
  if (word[0] === '>') return (r) => r.seconds >= seconds(word.slice(1));
  if (word.startsWith('only:')) {
    return (r) => {
      const good = r.upstreams.filter((l) => l.verdict === 'good' && !l.late);
      return good.length === 1 && means(good[0].upstream, word.slice(5));
    };
  }
  if (word.startsWith('asked:')) return (r) => r.asked === word.slice(6);
  switch (word) {
    case 'denied': return isDenied;
    case 'failed': return isFailed;
    case 'slow': return (r) => r.seconds >= 0.5;
    case 'differ': return (r) => r.differ.length > 0;
  }
  if (types.test(word)) return (r) => r.type === word.toUpperCase();
  const zone = '.' + word.toLowerCase().replace(/^\.+|\.+$/g, '');
  return (r) => zone === '.' || ('.' + r.name.toLowerCase().replace(/\.$/, '')).endsWith(zone);
}

// wanted says whether all words are true of a query.
function wanted(words) {
  const all = words.split(/\s+/).filter(Boolean).map(wants);
  return (r) => all.every((want) => want(r));
}
