// node: a cluster of three workers serves HTTP at PORT, and one process UDP at PORT + 1. serve.js PORT
const cluster = require('cluster'), http = require('http'), dgram = require('dgram'), crypto = require('crypto');
const port = Number(process.argv[2]);
const bare = (address) => address.replace(/^::ffff:/, '');
if (cluster.isPrimary) {
  for (let i = 0; i < 3; i++) cluster.fork();
  const udp = dgram.createSocket('udp6');
  udp.on('message', (text, peer) => udp.send(`${text} from ${bare(peer.address)}`, peer.port, peer.address));
  udp.bind(port + 1);
} else {
  http.createServer((request, response) => {
    const hash = crypto.createHash('sha256');
    request.on('data', (chunk) => hash.update(chunk));
    request.on('end', () => response.end(JSON.stringify(
      {hash: hash.digest('hex'), worker: cluster.worker.id, from: bare(request.socket.remoteAddress)})));
  }).listen(port, '::');
}
