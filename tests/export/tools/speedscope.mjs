// speedscope's own importers on one file, as its page would open it.
// usage: node speedscope.mjs BUNDLE FILE
//   BUNDLE is speedscope-*.js of the npm package's dist/release.
// Prints JSON: [{"name", "unit", "start", "total", "events": [["O"|"C", frame name, file, at]...]}...].
import fs from 'node:fs';
import path from 'node:path';

const [bundle, file] = process.argv.slice(2);
let source = fs.readFileSync(bundle, 'utf8');

// The bundle is one function with everything inside; its importers are let out under a name of ours.
const exportCall = source.match(/\b([\w$]+)\(([\w$]+),\{importFromFileSystemDirectoryEntry:/);
if (!exportCall) throw new Error(`${bundle}: no importers found; is this another version of speedscope?`);
const importers = exportCall[2];
const start = source.match(new RegExp(`\\(\\(\\)=>\\(([\\w$]+)\\(\\),${importers.replace('$', '\\$')}\\)`));
if (!start) throw new Error(`${bundle}: no start of the importers found; is this another version of speedscope?`);
source = source.replace(exportCall[0],
  `${exportCall[1]}((globalThis.importers={exports:${importers},start:()=>${start[1]}()},${importers}),` +
  '{importFromFileSystemDirectoryEntry:');
console.log = () => {}; // the importers tell what they do
try { new Function(source)(); } catch (error) { // the page itself finds no document, after the importers are out
  if (!globalThis.importers) throw error;
}
globalThis.importers.start();

const text = fs.readFileSync(file);
const group = await globalThis.importers.exports.importProfilesFromArrayBuffer(
  path.basename(file), text.buffer.slice(text.byteOffset, text.byteOffset + text.byteLength));
if (!group) throw new Error(`${file}: speedscope does not know this format`);
const out = group.profiles.map((profile) => {
  const events = [];
  profile.forEachCall((node, at) => events.push(['O', node.frame.name, node.frame.file ?? null, at]),
                      (node, at) => events.push(['C', node.frame.name, node.frame.file ?? null, at]));
  return {name: profile.getName(), unit: profile.getWeightUnit(), total: profile.getTotalWeight(), events};
});
process.stdout.write(JSON.stringify(out) + '\n');
