// CDK's framework as it is, but for one function: its own httpRequest always goes to https on port 443,
// where CloudFormation's bucket is, and the benchmark's is elsewhere.
const http = require('node:http');
const https = require('node:https');
const outbound = require('./outbound');
const framework = require('./framework');

// A Lambda instance has one request at a time.
let responseUrl;

outbound.httpRequest = (options, body) => {
  const { protocol, port } = new URL(responseUrl);
  const { request } = protocol === 'http:' ? http : https;
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, port }, (response) => {
      response.resume();
      if (response.statusCode >= 400) reject(new Error(`Unsuccessful HTTP response: ${response.statusCode}`));
      else resolve();
    });
    sent.on('error', reject);
    sent.end(body);
  });
};

exports.onEvent = (event) => {
  responseUrl = event.ResponseURL;
  return framework.onEvent(event);
};
