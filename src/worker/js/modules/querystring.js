// querystring: names and values in a URL's query.
'use strict';

function unescape(text) {
    try {
        return decodeURIComponent(text);
    } catch (e) {
        // What is no escape stays as it is.
        return require('buffer').Buffer.from(text.replace(/%([0-9a-f]{2})/gi, function (all, hex) {
            return String.fromCharCode(parseInt(hex, 16));
        }), 'latin1').toString();
    }
}

// As encodeURIComponent, with ! ' ( ) * left alone.
function escape(text) {
    return encodeURIComponent(text);
}

function plain(value) {
    switch (typeof value) {
    case 'string':
        return value;
    case 'number':
        return isFinite(value) ? String(value) : '';
    case 'boolean':
        return value ? 'true' : 'false';
    default:
        return '';
    }
}

function stringify(object, sep, eq, options) {
    var encode = options && options.encodeURIComponent || exports.escape;
    sep = sep || '&';
    eq = eq || '=';
    if (object === null || typeof object !== 'object') {
        return '';
    }
    return Object.keys(object).map(function (key) {
        var head = encode(plain(key)) + eq;
        var value = object[key];
        if (Array.isArray(value)) {
            return value.map(function (v) { return head + encode(plain(v)); }).join(sep);
        }
        return head + encode(plain(value));
    }).filter(Boolean).join(sep);
}

function parse(text, sep, eq, options) {
    var decode = options && options.decodeURIComponent || exports.unescape;
    var max = options && typeof options.maxKeys === 'number' ? options.maxKeys : 1000;
    var out = Object.create(null);
    sep = sep || '&';
    eq = eq || '=';
    if (typeof text !== 'string' || !text) {
        return out;
    }
    var parts = text.split(sep);
    if (max > 0) {
        parts = parts.slice(0, max);
    }
    parts.forEach(function (part) {
        if (!part) {
            return;
        }
        part = part.replace(/\+/g, ' ');
        var at = part.indexOf(eq);
        var key = decode(at < 0 ? part : part.slice(0, at));
        var value = at < 0 ? '' : decode(part.slice(at + eq.length));
        if (!(key in out)) {
            out[key] = value;
        } else if (Array.isArray(out[key])) {
            out[key].push(value);
        } else {
            out[key] = [out[key], value];
        }
    });
    return out;
}

exports.escape = escape;
exports.unescape = unescape;
exports.stringify = exports.encode = stringify;
exports.parse = exports.decode = parse;
