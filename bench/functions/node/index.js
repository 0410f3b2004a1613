// The custom resource as it is written by hand in Node: the work, and the answer to CloudFormation.
const http = require('node:http');
const https = require('node:https');
const { carryOut } = require('./mirror_credential');

// The id of what a failed Create has left, which is nothing: the Delete that follows has nothing to do.
const NOTHING = 'nothing-was-created';

exports.handler = async (event) => {
  let answer;
  try {
    const result = event.PhysicalResourceId === NOTHING ? { PhysicalResourceId: NOTHING } : await carryOut(event);
    answer = { Status: 'SUCCESS', ...result };
  } catch (error) {
    const PhysicalResourceId = event.PhysicalResourceId ?? NOTHING;
    answer = { Status: 'FAILED', Reason: `${error.name}: ${error.message}`, PhysicalResourceId };
  }
  const { StackId, RequestId, LogicalResourceId } = event;
  await put(event.ResponseURL, { ...answer, StackId, RequestId, LogicalResourceId });
};

// What AWS's module cfn-response does: one PUT with an empty content-type.
function put(responseUrl, answer) {
  const body = JSON.stringify(answer);
  const url = new URL(responseUrl);
  // CloudFormation's address is https; the benchmark's may be http.
  const { request } = url.protocol === 'http:' ? http : https;
  const headers = { 'content-type': '', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'PUT', headers }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode < 300) resolve();
        else reject(new Error(`CloudFormation's bucket answered ${response.statusCode}`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
