// buffer: Node's Buffer, which is a Uint8Array with another prototype.
'use strict';

var MAX_LENGTH = 0x7fffffff;
var HEX = '0123456789abcdef';
var BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function adopt(bytes) {
    Object.setPrototypeOf(bytes, Buffer.prototype);
    return bytes;
}

function Buffer(value, encodingOrOffset, length) {
    if (typeof value === 'number') {
        return alloc(value);
    }
    return from(value, encodingOrOffset, length);
}
Object.setPrototypeOf(Buffer, Uint8Array);
Buffer.prototype = Object.create(Uint8Array.prototype, {
    constructor: {value: Buffer, writable: true, configurable: true}
});
Buffer.poolSize = 8192;

// ---- text to bytes ----

function encodeUtf8(text) {
    return new TextEncoder().encode(text);
}

function encodeLatin1(text) {
    var out = new Uint8Array(text.length);
    for (var i = 0; i < text.length; i++) {
        out[i] = text.charCodeAt(i);
    }
    return out;
}

function encodeUtf16(text) {
    var out = new Uint8Array(text.length * 2);
    for (var i = 0; i < text.length; i++) {
        var c = text.charCodeAt(i);
        out[2 * i] = c;
        out[2 * i + 1] = c >> 8;
    }
    return out;
}

// Up to the first pair that is none.
function encodeHex(text) {
    var out = [];
    for (var i = 0; i + 1 < text.length; i += 2) {
        var high = HEX.indexOf(text.charAt(i).toLowerCase());
        var low = HEX.indexOf(text.charAt(i + 1).toLowerCase());
        if (high < 0 || low < 0) {
            break;
        }
        out.push(high << 4 | low);
    }
    return new Uint8Array(out);
}

// Both alphabets; what is in neither is passed over, "=" ends it.
function encodeBase64(text) {
    var out = [];
    var bits = 0, have = 0;
    text = text.replace(/-/g, '+').replace(/_/g, '/');
    for (var i = 0; i < text.length && text.charAt(i) !== '='; i++) {
        var digit = BASE64.indexOf(text.charAt(i));
        if (digit < 0) {
            continue;
        }
        bits = bits << 6 | digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out.push(bits >> have & 0xff);
            bits &= (1 << have) - 1;
        }
    }
    return new Uint8Array(out);
}

// ---- bytes to text ----

// In pieces: a call has only so many arguments.
function decodeUnits(bytes, unitAt, n) {
    var out = '';
    for (var i = 0; i < n;) {
        var piece = [];
        for (var end = Math.min(i + 1024, n); i < end; i++) {
            piece.push(unitAt(bytes, i));
        }
        out += String.fromCharCode.apply(null, piece);
    }
    return out;
}

function decodeUtf8(bytes) {
    return new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes);
}

function decodeLatin1(bytes) {
    return decodeUnits(bytes, function (b, i) { return b[i]; }, bytes.length);
}

function decodeAscii(bytes) {
    return decodeUnits(bytes, function (b, i) { return b[i] & 0x7f; }, bytes.length);
}

function decodeUtf16(bytes) {
    return decodeUnits(bytes, function (b, i) { return b[2 * i] | b[2 * i + 1] << 8; }, bytes.length >> 1);
}

function decodeHex(bytes) {
    var out = [];
    for (var i = 0; i < bytes.length; i++) {
        out.push(HEX.charAt(bytes[i] >> 4) + HEX.charAt(bytes[i] & 15));
    }
    return out.join('');
}

function decodeBase64(bytes) {
    var out = [];
    for (var i = 0; i < bytes.length; i += 3) {
        var bits = bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2];
        out.push(BASE64.charAt(bits >> 18) + BASE64.charAt(bits >> 12 & 63) +
            (i + 1 < bytes.length ? BASE64.charAt(bits >> 6 & 63) : '=') +
            (i + 2 < bytes.length ? BASE64.charAt(bits & 63) : '='));
    }
    return out.join('');
}

function decodeBase64Url(bytes) {
    return decodeBase64(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

var utf8 = {encode: encodeUtf8, decode: decodeUtf8};
var utf16 = {encode: encodeUtf16, decode: decodeUtf16};
var latin1 = {encode: encodeLatin1, decode: decodeLatin1};
var encodings = {
    'utf8': utf8,
    'utf-8': utf8,
    'hex': {encode: encodeHex, decode: decodeHex},
    'base64': {encode: encodeBase64, decode: decodeBase64},
    'base64url': {encode: encodeBase64, decode: decodeBase64Url},
    'latin1': latin1,
    'binary': latin1,
    'ascii': {encode: encodeLatin1, decode: decodeAscii},
    'utf16le': utf16,
    'utf-16le': utf16,
    'ucs2': utf16,
    'ucs-2': utf16
};

function encodingOf(name) {
    if (name === undefined || name === null || name === '') {
        return utf8;
    }
    var key = String(name).toLowerCase();
    if (!Object.prototype.hasOwnProperty.call(encodings, key)) {
        throw new TypeError('Unknown encoding: ' + name);
    }
    return encodings[key];
}

// ---- making them ----

function alloc(size, fill, encoding) {
    if (typeof size !== 'number') {
        throw new TypeError('The "size" argument must be a number');
    }
    if (!(size >= 0 && size <= MAX_LENGTH)) {
        throw new RangeError('The value of "size" is out of range: ' + size);
    }
    var out = adopt(new Uint8Array(Math.floor(size)));
    return fill === undefined || fill === 0 ? out : out.fill(fill, encoding);
}

function from(value, encodingOrOffset, length) {
    if (typeof value === 'string') {
        return adopt(encodingOf(encodingOrOffset).encode(value));
    }
    if (value instanceof ArrayBuffer) {
        return adopt(new Uint8Array(value, encodingOrOffset || 0,
            length === undefined ? value.byteLength - (encodingOrOffset || 0) : length));
    }
    if (value === null || typeof value !== 'object') {
        throw new TypeError('The first argument must be a string, an array, a buffer or an object like those');
    }
    if (value.type === 'Buffer' && Array.isArray(value.data)) {
        return adopt(new Uint8Array(value.data));
    }
    if (typeof value.length === 'number') {
        return adopt(new Uint8Array(ArrayBuffer.isView(value) ? value : Array.prototype.slice.call(value)));
    }
    var primitive = value.valueOf();
    if (primitive !== value && primitive !== null && primitive !== undefined) {
        return from(primitive, encodingOrOffset, length);
    }
    throw new TypeError('The first argument must be a string, an array, a buffer or an object like those');
}

function concat(list, total) {
    if (!Array.isArray(list)) {
        throw new TypeError('The "list" argument must be an array');
    }
    if (total === undefined) {
        total = list.reduce(function (n, part) { return n + part.length; }, 0);
    }
    var out = alloc(total);
    var at = 0;
    list.forEach(function (part) {
        var n = Math.min(part.length, total - at);
        out.set(n < part.length ? part.subarray(0, n) : part, at);
        at += n;
    });
    return out;
}

function compare(a, b) {
    for (var i = 0; i < a.length && i < b.length; i++) {
        if (a[i] !== b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
    }
    return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
}

Buffer.from = from;
Buffer.alloc = alloc;
Buffer.allocUnsafe = Buffer.allocUnsafeSlow = function (size) { return alloc(size); };
Buffer.concat = concat;
Buffer.compare = compare;
Buffer.isBuffer = function (value) { return value instanceof Buffer; };
Buffer.isEncoding = function (name) {
    return typeof name === 'string' && Object.prototype.hasOwnProperty.call(encodings, name.toLowerCase());
};
Buffer.byteLength = function (value, encoding) {
    return typeof value === 'string' ? encodingOf(encoding).encode(value).length : value.byteLength;
};

// ---- what they can do ----

// Each of these is found before Uint8Array's, and is not listed by for-in.
function define(name, f) {
    Object.defineProperty(Buffer.prototype, name, {value: f, writable: true, configurable: true, enumerable: false});
}

function clamp(value, length, other) {
    if (value === undefined) {
        return other;
    }
    value = Math.trunc ? Math.trunc(value) || 0 : value < 0 ? Math.ceil(value) : Math.floor(value) || 0;
    return value < 0 ? Math.max(0, length + value) : Math.min(value, length);
}

function slice(start, end) {
    var from = clamp(start, this.length, 0);
    var to = clamp(end, this.length, this.length);
    return adopt(new Uint8Array(this.buffer, this.byteOffset + from, Math.max(0, to - from)));
}
define('slice', slice);
define('subarray', slice);

define('toString', function (encoding, start, end) {
    var part = start === undefined && end === undefined ? this
        : slice.call(this, Math.max(0, start || 0), end === undefined ? this.length : Math.max(0, end));
    return encodingOf(encoding).decode(part);
});
define('toLocaleString', Buffer.prototype.toString);

define('toJSON', function () {
    return {type: 'Buffer', data: Array.prototype.slice.call(this)};
});

define('equals', function (other) {
    return compare(this, other) === 0;
});

define('compare', function (other, from, to, start, end) {
    return compare(slice.call(this, start, end), slice.call(Buffer.from(other), from, to));
});

// write(text[, offset[, length]][, encoding])
define('write', function (text, offset, length, encoding) {
    if (typeof offset === 'string') {
        encoding = offset;
        offset = length = undefined;
    } else if (typeof length === 'string') {
        encoding = length;
        length = undefined;
    }
    offset = offset || 0;
    var room = Math.min(length === undefined ? Infinity : length, this.length - offset);
    var bytes = encodingOf(encoding).encode(text);
    var n = Math.max(0, Math.min(bytes.length, room));
    if (encodingOf(encoding) === utf8) {
        // No half of a character.
        while (n < bytes.length && n > 0 && (bytes[n] & 0xc0) === 0x80) {
            n--;
        }
    }
    this.set(bytes.subarray(0, n), offset);
    return n;
});

define('copy', function (target, at, start, end) {
    at = at || 0;
    var part = slice.call(this, start || 0, end === undefined ? this.length : end);
    var n = Math.max(0, Math.min(part.length, target.length - at));
    target.set(part.subarray(0, n), at);
    return n;
});

define('fill', function (value, start, end, encoding) {
    if (typeof start === 'string') {
        encoding = start;
        start = end = undefined;
    }
    var from = clamp(start, this.length, 0);
    var to = clamp(end, this.length, this.length);
    var bytes = typeof value === 'string' ? encodingOf(encoding).encode(value)
        : typeof value === 'object' ? value : [value & 255];
    if (!bytes.length) {
        bytes = [0];
    }
    for (var i = from; i < to; i++) {
        this[i] = bytes[(i - from) % bytes.length];
    }
    return this;
});

function bytesOf(value, encoding) {
    return typeof value === 'number' ? [value & 255] : typeof value === 'string' ? encodingOf(encoding).encode(value) : value;
}

function isAt(bytes, part, at) {
    for (var i = 0; i < part.length; i++) {
        if (bytes[at + i] !== part[i]) {
            return false;
        }
    }
    return true;
}

define('indexOf', function (value, from, encoding) {
    if (typeof from === 'string') {
        encoding = from;
        from = 0;
    }
    var part = bytesOf(value, encoding);
    for (var i = clamp(from, this.length, 0); i + part.length <= this.length; i++) {
        if (isAt(this, part, i)) {
            return i;
        }
    }
    return -1;
});

define('lastIndexOf', function (value, from, encoding) {
    var part = bytesOf(value, typeof from === 'string' ? from : encoding);
    var last = this.length - part.length;
    if (typeof from === 'number') {
        last = Math.min(last, from < 0 ? this.length + from : from);
    }
    for (var i = last; i >= 0; i--) {
        if (isAt(this, part, i)) {
            return i;
        }
    }
    return -1;
});

define('includes', function (value, from, encoding) {
    return this.indexOf(value, from, encoding) >= 0;
});

define('swap16', function () {
    for (var i = 0; i + 1 < this.length; i += 2) {
        var b = this[i];
        this[i] = this[i + 1];
        this[i + 1] = b;
    }
    return this;
});

define('keys', undefined);
define('values', undefined);
define('entries', undefined);

// ---- numbers ----

function viewOf(buffer, offset, size) {
    offset = offset === undefined ? 0 : offset;
    if (typeof offset !== 'number' || offset % 1 || offset < 0 || offset + size > buffer.length) {
        throw new RangeError('The value of "offset" is out of range: ' + offset);
    }
    return new DataView(buffer.buffer, buffer.byteOffset + offset, size);
}

function defineNumber(names, method, size, little) {
    names.forEach(function (name) {
        define('read' + name, function (offset) {
            return viewOf(this, offset, size)['get' + method](0, little);
        });
        define('write' + name, function (value, offset) {
            viewOf(this, offset, size)['set' + method](0, value, little);
            return (offset || 0) + size;
        });
    });
}

defineNumber(['UInt8', 'Uint8'], 'Uint8', 1);
defineNumber(['Int8'], 'Int8', 1);
[['LE', true], ['BE', false]].forEach(function (order) {
    defineNumber(['UInt16' + order[0], 'Uint16' + order[0]], 'Uint16', 2, order[1]);
    defineNumber(['UInt32' + order[0], 'Uint32' + order[0]], 'Uint32', 4, order[1]);
    defineNumber(['Int16' + order[0]], 'Int16', 2, order[1]);
    defineNumber(['Int32' + order[0]], 'Int32', 4, order[1]);
    defineNumber(['Float' + order[0]], 'Float32', 4, order[1]);
    defineNumber(['Double' + order[0]], 'Float64', 8, order[1]);
});

function checkBytes(buffer, offset, n) {
    if (!(n >= 1 && n <= 6) || offset < 0 || offset + n > buffer.length) {
        throw new RangeError('The value of "offset" or "byteLength" is out of range');
    }
}

// Up to six bytes, the first one being the highest if `big`.
function readBytes(buffer, offset, n, big) {
    var value = 0;
    checkBytes(buffer, offset, n);
    for (var i = 0; i < n; i++) {
        value = value * 256 + buffer[offset + (big ? i : n - 1 - i)];
    }
    return value;
}

function writeBytes(buffer, value, offset, n, big) {
    checkBytes(buffer, offset, n);
    if (value < 0) {
        value += Math.pow(2, 8 * n);
    }
    for (var i = 0; i < n; i++) {
        buffer[offset + (big ? n - 1 - i : i)] = value % 256;
        value = Math.floor(value / 256);
    }
    return offset + n;
}

[['LE', false], ['BE', true]].forEach(function (order) {
    ['UInt', 'Uint', 'Int'].forEach(function (kind) {
        define('read' + kind + order[0], function (offset, n) {
            var value = readBytes(this, offset, n, order[1]);
            return kind === 'Int' && value >= Math.pow(2, 8 * n - 1) ? value - Math.pow(2, 8 * n) : value;
        });
        define('write' + kind + order[0], function (value, offset, n) {
            return writeBytes(this, value, offset, n, order[1]);
        });
    });
});

exports.Buffer = Buffer;
exports.SlowBuffer = Buffer;
exports.kMaxLength = MAX_LENGTH;
exports.constants = {MAX_LENGTH: MAX_LENGTH, MAX_STRING_LENGTH: MAX_LENGTH};
exports.INSPECT_MAX_BYTES = 50;
