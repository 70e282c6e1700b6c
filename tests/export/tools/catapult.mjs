// The importer of chrome://tracing (Catapult's trace viewer) on one file in Chrome's Trace Event Format.
// usage: node catapult.mjs trace_viewer_full.html FILE
// Prints JSON: {"warnings", "threads": [{"tid", "name", "slices": [[title, start, duration, depth]...]}...],
// "flows": [[title, start of one slice, start of the other]...], "counters": {name: [[time, value]...]}};
// times in milliseconds since the first event.
import fs from 'node:fs';
import vm from 'node:vm';

const [viewer, file] = process.argv.slice(2);
const scripts = [...fs.readFileSync(viewer, 'utf8').matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)];
const source = scripts.map((match) => match[1]).join('\n');
// The page's parts begin with 'use strict' each; from here on they are the trace viewer's.
const first = source.lastIndexOf("'use strict';", source.indexOf('isExported(name)'));
if (first < 0) throw new Error(`${viewer}: this is no trace viewer`);
globalThis.global = globalThis;
globalThis.isVinn = true; // the viewer's own mode without a document
for (const part of source.slice(first).split("'use strict';").slice(1)) {
  // The parts that draw need a document and fail; the importers and the model do not.
  try { vm.runInThisContext(`'use strict';${part.replace(/Polymer\(\{[\s\S]*$/, '')}`); } catch { continue; }
}
const tr = globalThis.tr;
const model = new tr.Model(), options = new tr.importer.ImportOptions();
options.showImportWarnings = false;
new tr.importer.Import(model, options).importTraces([fs.readFileSync(file, 'utf8')]);

const depth = (slice) => slice.parentSlice ? 1 + depth(slice.parentSlice) : 0;
const threads = model.getAllThreads().map((thread) => ({
  tid: thread.tid, name: thread.name,
  slices: thread.sliceGroup.slices.map((s) => [s.title, s.start, s.duration, depth(s)]),
}));
const counters = {};
for (const process of Object.values(model.processes))
  for (const counter of Object.values(process.counters))
    counters[counter.name] = counter.series[0].samples.map((s) => [s.timestamp, s.value]);
process.stdout.write(JSON.stringify({
  warnings: model.importWarnings.map((w) => w.message), threads, counters,
  flows: model.flowEvents.map((f) => [f.title, f.startSlice?.start, f.endSlice?.start]),
}) + '\n');
