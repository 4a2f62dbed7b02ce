// punycode: RFC 3492, and names of hosts with it.
'use strict';

var BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, FIRST_BIAS = 72, FIRST_N = 128, MAX = 0x7fffffff;

function decodeUcs2(text) {
    var out = [];
    for (var i = 0; i < text.length; i++) {
        var c = text.charCodeAt(i);
        var low = text.charCodeAt(i + 1);
        if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            i++;
        }
        out.push(c);
    }
    return out;
}

function encodeUcs2(points) {
    return points.map(function (c) {
        if (c < 0x10000) {
            return String.fromCharCode(c);
        }
        c -= 0x10000;
        return String.fromCharCode(0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
    }).join('');
}

function adapt(delta, points, first) {
    var k = 0;
    delta = first ? Math.floor(delta / DAMP) : delta >> 1;
    delta += Math.floor(delta / points);
    for (; delta > (BASE - T_MIN) * T_MAX >> 1; k += BASE) {
        delta = Math.floor(delta / (BASE - T_MIN));
    }
    return k + Math.floor((BASE - T_MIN + 1) * delta / (delta + SKEW));
}

function threshold(k, bias) {
    return k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
}

function digitOf(c) {
    if (c >= 48 && c < 58) {
        return c - 22;
    }
    if (c >= 65 && c < 91) {
        return c - 65;
    }
    return c >= 97 && c < 123 ? c - 97 : BASE;
}

function letterOf(digit) {
    return String.fromCharCode(digit + (digit < 26 ? 97 : 22));
}

function decode(text) {
    var dash = text.lastIndexOf('-');
    var out = [];
    var n = FIRST_N, i = 0, bias = FIRST_BIAS;
    for (var j = 0; j < dash; j++) {
        if (text.charCodeAt(j) >= 0x80) {
            throw new RangeError('Illegal input >= 0x80 (not a basic code point)');
        }
        out.push(text.charCodeAt(j));
    }
    for (var at = dash > 0 ? dash + 1 : 0; at < text.length;) {
        var before = i;
        for (var w = 1, k = BASE;; k += BASE) {
            var digit = at < text.length ? digitOf(text.charCodeAt(at++)) : BASE;
            if (digit >= BASE) {
                throw new RangeError('Invalid input');
            }
            i += digit * w;
            if (i > MAX) {
                throw new RangeError('Overflow: input needs wider integers to process');
            }
            var t = threshold(k, bias);
            if (digit < t) {
                break;
            }
            w *= BASE - t;
        }
        bias = adapt(i - before, out.length + 1, before === 0);
        n += Math.floor(i / (out.length + 1));
        i %= out.length + 1;
        out.splice(i++, 0, n);
    }
    return encodeUcs2(out);
}

function encode(text) {
    var points = decodeUcs2(text);
    var out = points.filter(function (c) { return c < 0x80; }).map(function (c) { return String.fromCharCode(c); });
    var basic = out.length, done = basic;
    var n = FIRST_N, delta = 0, bias = FIRST_BIAS;
    if (basic) {
        out.push('-');
    }
    function encodeDelta(q) {
        for (var k = BASE;; k += BASE) {
            var t = threshold(k, bias);
            if (q < t) {
                break;
            }
            out.push(letterOf(t + (q - t) % (BASE - t)));
            q = Math.floor((q - t) / (BASE - t));
        }
        out.push(letterOf(q));
    }
    while (done < points.length) {
        var next = MAX;
        points.forEach(function (c) {
            if (c >= n && c < next) {
                next = c;
            }
        });
        delta += (next - n) * (done + 1);
        if (delta > MAX) {
            throw new RangeError('Overflow: input needs wider integers to process');
        }
        n = next;
        for (var i = 0; i < points.length; i++) {
            if (points[i] < n) {
                delta++;
            } else if (points[i] === n) {
                encodeDelta(delta);
                bias = adapt(delta, done + 1, done === basic);
                delta = 0;
                done++;
            }
        }
        delta++;
        n++;
    }
    return out.join('');
}

// An address of mail keeps what is before its "@".
function eachLabel(name, f) {
    var at = name.lastIndexOf('@');
    var head = name.slice(0, at + 1);
    return head + name.slice(at + 1).split(/[.\u3002\uff0e\uff61]/).map(f).join('.');
}

exports.version = '2.1.0';
exports.ucs2 = {decode: decodeUcs2, encode: encodeUcs2};
exports.decode = decode;
exports.encode = encode;
exports.toASCII = function (name) {
    return eachLabel(name, function (label) {
        return /[^\0-\x7f]/.test(label) ? 'xn--' + encode(label) : label;
    });
};
exports.toUnicode = function (name) {
    return eachLabel(name, function (label) {
        return /^xn--/.test(label) ? decode(label.slice(4).toLowerCase()) : label;
    });
};
