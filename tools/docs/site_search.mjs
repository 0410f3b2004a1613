// The site's own search in node: prints the titles and addresses of the pages that it finds, best first, for each query.
//   node tools/docs/site_search.mjs site '["remove everything"]'
import { readdirSync, readFileSync } from 'node:fs';
import { runInThisContext } from 'node:vm';

const [site, queries] = process.argv.slice(2);
const workers = `${site}/assets/javascripts/workers`;
// Material's worker registers one handler of messages, and answers each with postMessage.
let ask, answered;
globalThis.self = globalThis;
globalThis.addEventListener = (_, handler) => { ask = data => new Promise(resolve => { answered = resolve; handler({ data }); }); };
globalThis.postMessage = answer => answered(answer.data);
runInThisContext(readFileSync(`${workers}/${readdirSync(workers).find(name => /^search\..*\.js$/.test(name))}`, 'utf8'));

const index = JSON.parse(readFileSync(`${site}/search/search_index.json`, 'utf8'));
await ask({ type: 0, data: { ...index, options: {} } });
const found = {};
for (const query of JSON.parse(queries)) {
  const { items } = await ask({ type: 2, data: query });
  found[query] = items.map(([page]) => page.location.split('#')[0]);
}
console.log(JSON.stringify(found));
