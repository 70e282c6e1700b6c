// Perfetto's trace processor (WebAssembly, as its web page ships it) on one trace file.
// usage: node trace_processor.mjs FOLDER TRACE SQL...
//   FOLDER has engine_bundle.js and the .wasm files of Perfetto's page.
// Prints a JSON array: for each query {"columns": [...], "rows": [[...]]}; whole numbers that a double
// cannot hold are strings.
import fs from 'node:fs';
import path from 'node:path';

const [folder, traceFile, ...queries] = process.argv.slice(2);

// --- protocol buffers, as far as the processor's remote calls need them ------------

function varint(value) {
  const bytes = [];
  for (let v = BigInt(value); ; v >>= 7n) {
    if (v < 0x80n) { bytes.push(Number(v)); return Buffer.from(bytes); }
    bytes.push(Number(v & 0x7Fn) | 0x80);
  }
}
const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const bytes = (field, value) => Buffer.concat([varint(field << 3 | 2), varint(value.length), value]);

class Reader {
  constructor(buffer) { this.buffer = buffer; this.at = 0; }
  get more() { return this.at < this.buffer.length; }
  varint() {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.buffer[this.at++];
      value |= BigInt(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
  }
  take(size) { this.at += size; return this.buffer.subarray(this.at - size, this.at); }
  field() { // [number, value]: a BigInt or a Buffer
    const tag = Number(this.varint());
    switch (tag & 7) {
      case 0: return [tag >> 3, this.varint()];
      case 1: return [tag >> 3, this.take(8)];
      case 2: return [tag >> 3, this.take(Number(this.varint()))];
      case 5: return [tag >> 3, this.take(4)];
    }
    throw new Error(`wire type ${tag & 7}`);
  }
}
function* fields(buffer) { for (const r = new Reader(buffer); r.more;) yield r.field(); }
function packed(buffer) { const r = new Reader(buffer), out = []; while (r.more) out.push(r.varint()); return out; }

// --- the engine, a web worker's script, in a world like a worker's ----------------------

const engineFile = (url) => fs.readFileSync(path.join(folder, path.basename(url)));
const worker = {
  process: undefined, // else the engine takes itself for one that was built for node
  WorkerGlobalScope: class {}, location: {href: ''}, importScripts() {},
  console: {log() {}, warn: (text) => process.stderr.write(`trace processor: ${text}\n`), error: console.error},
  XMLHttpRequest: class {
    open(method, url) { this.url = url; }
    send() { this.response = new Uint8Array(engineFile(this.url)).buffer; }
  },
};
worker.self = worker;
const replies = [];
let wake = null;
new Function(...Object.keys(worker), engineFile('engine_bundle.js').toString())(...Object.values(worker));
const port = {postMessage: (data) => { replies.push(Buffer.from(data)); wake?.(); }};
worker.onmessage({data: port});

let sequence = 0, pending = Buffer.alloc(0);
const METHOD = {append: 1, finalize: 2, query: 3};

function send(method, argument = Buffer.alloc(0)) {
  const call = Buffer.concat([number(1, ++sequence), number(2, method), argument]);
  port.onmessage({data: new Uint8Array(bytes(1, call))});
}

async function reply() {
  for (;;) {
    if (pending.length > 0) {
      const stream = new Reader(pending), [, message] = stream.field();
      if (stream.at <= pending.length) { pending = pending.subarray(stream.at); return new Map(fields(message)); }
    }
    if (replies.length > 0) pending = Buffer.concat([pending, replies.shift()]);
    else await new Promise((resolve) => { wake = resolve; });
  }
}

const exact = (value) => Number.isSafeInteger(Number(value)) ? Number(value) : String(value);

async function query(sql) {
  send(METHOD.query, bytes(103, bytes(1, Buffer.from(sql))));
  const columns = [], cells = [];
  for (let last = false; !last;) {
    const result = (await reply()).get(203);
    for (const [field, value] of fields(result)) {
      if (field === 1) columns.push(value.toString());
      if (field === 2 && value.length > 0) throw new Error(`${sql}: ${value}`);
      if (field !== 3) continue;
      const batch = {1: [], 2: [], 3: Buffer.alloc(0), 5: Buffer.alloc(0)};
      for (const [part, content] of fields(value)) {
        if (part === 1) batch[1].push(...packed(content).map(Number));
        else if (part === 2) batch[2].push(...packed(content).map((v) => exact(BigInt.asIntN(64, v))));
        else if (part === 3 || part === 5) batch[part] = content;
        else if (part === 6) last = content !== 0n;
      }
      const texts = batch[5].toString().split('\0');
      let real = 0;
      for (const type of batch[1]) // 1 null, 2 whole number, 3 real, 4 text
        cells.push(type === 2 ? batch[2].shift() : type === 3 ? batch[3].readDoubleLE(8 * real++)
                   : type === 4 ? texts.shift() : null);
    }
  }
  const rows = [];
  for (let i = 0; i < cells.length; i += columns.length) rows.push(cells.slice(i, i + columns.length));
  return {columns, rows};
}

await new Promise((resolve) => setTimeout(resolve, 0)); // the engine sets its own calls up in a promise
const trace = fs.readFileSync(traceFile);
for (let at = 0; at < trace.length; at += 1 << 24) {
  send(METHOD.append, bytes(101, trace.subarray(at, at + (1 << 24))));
  const result = (await reply()).get(201);
  for (const [field, value] of fields(result ?? Buffer.alloc(0)))
    if (field === 2 && value.length > 0) throw new Error(`${traceFile}: ${value}`);
}
send(METHOD.finalize);
await reply();
const answers = [];
for (const sql of queries) answers.push(await query(sql));
console.log(JSON.stringify(answers));
