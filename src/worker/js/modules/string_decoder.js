// string_decoder: characters that are cut between two buffers.
'use strict';

var Buffer = require('buffer').Buffer;

function StringDecoder(encoding) {
    this.encoding = String(encoding || 'utf8').toLowerCase().replace('utf-8', 'utf8');
    if (!Buffer.isEncoding(this.encoding)) {
        throw new TypeError('Unknown encoding: ' + encoding);
    }
    if (this.encoding === 'ucs2' || this.encoding === 'ucs-2' || this.encoding === 'utf-16le') {
        this.encoding = 'utf16le';
    }
    this.rest = Buffer.alloc(0);
}

// How many bytes at the end begin a character that is not whole yet.
function utf8Rest(bytes) {
    for (var back = 1; back <= 3 && back <= bytes.length; back++) {
        var b = bytes[bytes.length - back];
        if (b >= 0xc0) {
            var need = b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2;
            return need > back ? back : 0;
        }
        if (b < 0x80) {
            return 0;
        }
    }
    return 0;
}

function utf16Rest(bytes) {
    var odd = bytes.length % 2;
    var last = bytes.length - odd;
    if (last >= 2 && (bytes[last - 1] & 0xfc) === 0xd8) {
        return odd + 2;
    }
    return odd;
}

function restOf(encoding, bytes) {
    switch (encoding) {
    case 'utf8':
        return utf8Rest(bytes);
    case 'utf16le':
        return utf16Rest(bytes);
    case 'base64':
        return bytes.length % 3;
    default:
        return 0;
    }
}

StringDecoder.prototype.write = function (chunk) {
    if (typeof chunk === 'string') {
        return chunk;
    }
    var bytes = Buffer.concat([this.rest, Buffer.from(chunk)]);
    var whole = bytes.length - restOf(this.encoding, bytes);
    this.rest = bytes.slice(whole);
    return bytes.slice(0, whole).toString(this.encoding);
};

StringDecoder.prototype.end = function (chunk) {
    var text = chunk === undefined ? '' : this.write(chunk);
    text += this.rest.toString(this.encoding);
    this.rest = Buffer.alloc(0);
    return text;
};

exports.StringDecoder = StringDecoder;
