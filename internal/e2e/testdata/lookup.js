// Looks up each name: four times at once as programs do, by getaddrinfo, and once by c-ares.
// Prints a line for each way and name: what was found, and what else if not all are alike.
const dns = require('node:dns').promises;

const addresses = (list) => list.map((a) => a.address ?? a).sort().join(' ');
const found = (promise) => promise.then(addresses, (err) => err.code);

Promise.all(process.argv.slice(2).flatMap((name) => {
  const four = [1, 2, 3, 4].map(() => found(dns.lookup(name, { all: true, family: 4 })));
  return [
    Promise.all(four).then((all) => ['getaddrinfo', name, [...new Set(all)].join(' or ')]),
    found(dns.resolve4(name)).then((one) => ['c-ares', name, one]),
  ];
})).then((lines) => lines.forEach((line) => console.log(line.join(','))));
