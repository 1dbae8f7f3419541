// What a search list makes of one name: which domains it has, and which queries are part of another one.

const maxSuffixes = 32;

// Suffixes are search domains: of the system, of links, and those that names were seen to be asked with.
class Suffixes {
  all = [];
  add(domain) {
    domain = '.' + domain.toLowerCase().replace(/^[.~]+|[.~]+$/g, '') + '.';
    if (domain === '..') return;
    this.all = this.all.filter((d) => d !== domain).slice(1 - maxSuffixes);
    this.all.push(domain);
  }
  // same says whether a search list makes both names of one.
  same(a, b) {
    a = a.toLowerCase();
    b = b.toLowerCase();
    const short = b.replace(/\.$/, '');
    if (a.length > b.length && short.includes('.') && a.startsWith(short + '.')) {
      this.add(a.slice(short.length));
      return true;
    }
    return a !== b && this.all.some((d) => {
      const base = a.slice(0, -d.length);
      if (!a.endsWith(d) || !base || !b.startsWith(base)) return false;
      const rest = b.slice(base.length);
      return rest === '.' || this.all.includes(rest);
    });
  }
}

const isAddress = (type) => type === 'A' || type === 'AAAA' || type === 'HTTPS';

// folds says whether a query may be part of another one: all upstreams have denied it. What somebody
// had no opinion of is always shown.
function folds(row) {
  const r = row.race;
  return isDenied(r) && r.conclusive && !r.changed && !r.filtered && row.times <= 1 && !row.wrong && !r.differ.length && isAddress(r.type);
}
