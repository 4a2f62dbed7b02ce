#!/usr/bin/node
/*
 * A program for poppod(8) that runs functions in Node.js, where they have a JIT: {type, fn, args} gives what fn(...args)
 * returns, or what the promise that it returns is fulfilled with. It needs nothing but Node: the part of MessagePack that
 * such values need is below. Functions share one process, and its globals: what they do to them, later ones see.
 */
"use strict";

const net = require("net");
const util = require("util");

// ---- MessagePack ----

class Writer {
  constructor() {
    this.parts = [];
  }

  head(size, write) {
    const b = Buffer.alloc(size);
    write(b);
    this.parts.push(b);
  }

  sized(length, small, smallMax, forms) {
    if (length <= smallMax) return this.head(1, (b) => b.writeUInt8(small | length));
    const [code, size] = forms.find(([, bytes]) => length < 2 ** (8 * bytes));
    this.head(1 + size, (b) => {
      b.writeUInt8(code);
      b.writeUIntBE(length, 1, size);
    });
  }

  number(v) {
    if (!Number.isSafeInteger(v) || Object.is(v, -0)) {
      return this.head(9, (b) => {
        b.writeUInt8(0xcb);
        b.writeDoubleBE(v, 1);
      });
    }
    if (v >= 0 && v < 128) return this.head(1, (b) => b.writeUInt8(v));
    if (v < 0 && v >= -32) return this.head(1, (b) => b.writeInt8(v));
    this.head(9, (b) => {
      b.writeUInt8(v < 0 ? 0xd3 : 0xcf);
      if (v < 0) b.writeBigInt64BE(BigInt(v), 1);
      else b.writeBigUInt64BE(BigInt(v), 1);
    });
  }

  bytes(data, small, smallMax, forms) {
    this.sized(data.length, small, smallMax, forms);
    this.parts.push(data);
  }

  value(v) {
    if (v === null || v === undefined || typeof v === "function" || typeof v === "symbol") return this.head(1, (b) => b.writeUInt8(0xc0));
    if (typeof v === "boolean") return this.head(1, (b) => b.writeUInt8(v ? 0xc3 : 0xc2));
    if (typeof v === "number") return this.number(v);
    if (typeof v === "bigint") return this.number(Number(v));
    if (typeof v === "string") return this.bytes(Buffer.from(v), 0xa0, 31, [[0xd9, 1], [0xda, 2], [0xdb, 4]]);
    if (v instanceof Uint8Array) return this.bytes(v, 0, -1, [[0xc4, 1], [0xc5, 2], [0xc6, 4]]);
    if (typeof v.toJSON === "function") return this.value(v.toJSON());
    if (Array.isArray(v)) {
      this.sized(v.length, 0x90, 15, [[0xdc, 2], [0xdd, 4]]);
      for (const item of v) this.value(item);
      return;
    }
    const entries = Object.entries(v).filter(([, item]) => item !== undefined && typeof item !== "function");
    this.sized(entries.length, 0x80, 15, [[0xde, 2], [0xdf, 4]]);
    for (const [key, item] of entries) {
      this.value(key);
      this.value(item);
    }
  }
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  uint(size) {
    this.at += size;
    return size === 8 ? Number(this.bytes.readBigUInt64BE(this.at - 8)) : this.bytes.readUIntBE(this.at - size, size);
  }

  int(size) {
    this.at += size;
    return size === 8 ? Number(this.bytes.readBigInt64BE(this.at - 8)) : this.bytes.readIntBE(this.at - size, size);
  }

  take(size) {
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  array(n) {
    return Array.from({ length: n }, () => this.value());
  }

  map(n) {
    const result = {};
    for (let i = 0; i < n; i++) {
      const key = this.value();
      Object.defineProperty(result, key, { value: this.value(), enumerable: true, writable: true, configurable: true });
    }
    return result;
  }

  value() {
    const c = this.uint(1);
    if (c < 0x80) return c;
    if (c >= 0xe0) return c - 0x100;
    if (c < 0x90) return this.map(c & 15);
    if (c < 0xa0) return this.array(c & 15);
    if (c < 0xc0) return this.take(c & 31).toString();
    if (c === 0xc0) return null;
    if (c === 0xc2 || c === 0xc3) return c === 0xc3;
    if (c >= 0xc4 && c <= 0xc6) return Buffer.from(this.take(this.uint(1 << (c - 0xc4))));
    if (c === 0xca) return this.take(4).readFloatBE();
    if (c === 0xcb) return this.take(8).readDoubleBE();
    if (c >= 0xcc && c <= 0xcf) return this.uint(1 << (c - 0xcc));
    if (c >= 0xd0 && c <= 0xd3) return this.int(1 << (c - 0xd0));
    if (c >= 0xd9 && c <= 0xdb) return this.take(this.uint(1 << (c - 0xd9))).toString();
    if (c === 0xdc || c === 0xdd) return this.array(this.uint(c === 0xdc ? 2 : 4));
    if (c === 0xde || c === 0xdf) return this.map(this.uint(c === 0xde ? 2 : 4));
    throw new TypeError("extension types are not for this handler");
  }
}

// ---- frames ----

const channel = new net.Socket({ fd: 3, readable: true, writable: true });

function send(message) {
  const writer = new Writer();
  writer.value(message);
  const body = Buffer.concat(writer.parts);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  channel.write(Buffer.concat([length, body]));
}

let received = Buffer.alloc(0);

channel.on("data", (data) => {
  received = received.length ? Buffer.concat([received, data]) : data;
  while (received.length >= 4 && received.length >= 4 + received.readUInt32BE()) {
    const size = received.readUInt32BE();
    const message = new Reader(received.subarray(4, 4 + size)).value();
    received = received.subarray(4 + size);
    if (message.op === "run") run(message);
  }
});
channel.on("end", () => process.exit(0));
channel.on("error", () => process.exit(1));

// ---- tasks ----

const lines = [];

for (const level of ["log", "info", "debug", "warn", "error"]) {
  console[level] = (...args) => lines.push({ level, text: util.format(...args), at: Date.now() });
}

async function call(task) {
  if (typeof task.fn !== "string") throw Object.assign(new TypeError("fn must be a function's source"), { code: "INVALID_TASK" });
  let fn;
  try {
    fn = new Function(`return (${task.fn}\n)`)();
  } catch (fault) {
    throw Object.assign(fault, { code: "SYNTAX_ERROR" });
  }
  return fn(...(task.args || []));
}

const CODES = ["INVALID_TASK", "SYNTAX_ERROR"];

function describe(fault) {
  const error = fault instanceof Error ? fault : { message: String(fault) };
  return {
    code: CODES.includes(error.code) ? error.code : "TASK_ERROR",
    name: error.name ? String(error.name).slice(0, 200) : undefined,
    message: String(error.message).slice(0, 10000),
    stack: error.stack ? String(error.stack).slice(0, 10000) : undefined,
  };
}

async function run({ seq, task }) {
  const began = Date.now();
  const before = process.cpuUsage();
  const reply = { seq, ok: true };
  lines.length = 0;
  try {
    reply.value = (await call(task)) ?? null;
  } catch (fault) {
    reply.error = describe(fault);
  }
  const used = process.cpuUsage(before);
  reply.cpuUs = used.user + used.system;
  reply.maxMemoryBytes = process.memoryUsage.rss();
  if (lines.length) reply.logs = lines.map(({ level, text, at }) => ({ level, text, at: Math.max(0, at - began) }));
  send({ op: "metric", name: "calls", kind: "counter", value: 1, help: "Functions that were called." });
  send({ op: "metric", name: "call_seconds", kind: "histogram", value: (Date.now() - began) / 1000 });
  send(reply);
}

send({ op: "ready" });
