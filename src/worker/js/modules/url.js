// url: Node's older interface, parse, format and resolve.
'use strict';

var querystring = require('querystring');

var PARTS = /^([a-z][a-z0-9+.-]*:)?(\/\/([^\/?#]*))?([^?#]*)(\?[^#]*)?(#[\s\S]*)?$/i;
// These have an authority and at least "/" as their path.
var SLASHED = {'http:': true, 'https:': true, 'ftp:': true, 'gopher:': true, 'file:': true, 'ws:': true, 'wss:': true};
var ESCAPED = /[\x00-\x20"'<>\\^`{|}]/g;

function Url() {
    this.protocol = this.slashes = this.auth = this.host = this.port = this.hostname = null;
    this.hash = this.search = this.query = this.pathname = this.path = this.href = null;
}

function escape(text) {
    return text.replace(ESCAPED, function (c) {
        return '%' + (c.charCodeAt(0) < 16 ? '0' : '') + c.charCodeAt(0).toString(16).toUpperCase();
    });
}

function parseAuthority(url, authority) {
    var at = authority.lastIndexOf('@');
    if (at >= 0) {
        url.auth = decodeURIComponent(authority.slice(0, at));
        authority = authority.slice(at + 1);
    }
    var port = /:([0-9]*)$/.exec(authority);
    if (port) {
        url.port = port[1] || null;
        authority = authority.slice(0, -port[0].length);
    }
    url.hostname = authority.toLowerCase();
    if (/[^\0-\x7f]/.test(url.hostname)) {
        url.hostname = require('punycode').toASCII(url.hostname);
    }
    url.host = url.hostname + (url.port ? ':' + url.port : '');
    url.hostname = url.hostname.replace(/^\[|\]$/g, '');
}

function parse(text, parseQuery, slashesDenoteHost) {
    if (text instanceof Url) {
        return text;
    }
    if (typeof text !== 'string') {
        throw new TypeError('The "url" argument must be a string');
    }
    var url = new Url();
    var m = PARTS.exec(text.trim().replace(/^[^?#]*/, function (head) { return head.replace(/\\/g, '/'); }));
    var protocol = m[1] && m[1].toLowerCase();
    var path = m[4];
    if (protocol) {
        url.protocol = protocol;
    }
    if (m[2] !== undefined && (protocol || slashesDenoteHost)) {
        url.slashes = true;
        parseAuthority(url, m[3]);
    } else if (m[2] !== undefined) {
        path = m[2] + path;
    }
    if (m[6]) {
        url.hash = escape(m[6]);
    }
    if (m[5]) {
        url.search = escape(m[5]);
        url.query = url.search.slice(1);
    }
    if (!path && SLASHED[protocol] && url.hostname !== null) {
        path = '/';
    }
    url.pathname = path ? escape(path) : null;
    url.path = url.pathname === null && url.search === null ? null : (url.pathname || '') + (url.search || '');
    url.href = url.format();
    if (parseQuery) {
        url.query = querystring.parse(url.query || '');
        url.search = url.search || '';
    }
    return url;
}

function format(object) {
    if (typeof object === 'string') {
        object = parse(object);
    }
    return Url.prototype.format.call(object);
}

Url.prototype.format = function () {
    var protocol = this.protocol || '';
    var auth = this.auth ? encodeURIComponent(this.auth).replace(/%3A/i, ':') + '@' : '';
    var path = this.pathname || '';
    var search = this.search;
    var host = null;
    if (protocol && protocol.slice(-1) !== ':') {
        protocol += ':';
    }
    if (this.host) {
        host = auth + this.host;
    } else if (this.hostname) {
        host = auth + (this.hostname.indexOf(':') < 0 ? this.hostname : '[' + this.hostname + ']') +
            (this.port ? ':' + this.port : '');
    }
    if (!search && this.query !== null && typeof this.query === 'object' && Object.keys(this.query).length) {
        search = '?' + querystring.stringify(this.query);
    }
    if (this.slashes || (!protocol || SLASHED[protocol]) && host !== null) {
        host = '//' + (host || '');
        if (path && path.charAt(0) !== '/') {
            path = '/' + path;
        }
    }
    var hash = this.hash || '';
    search = search || '';
    if (hash && hash.charAt(0) !== '#') {
        hash = '#' + hash;
    }
    if (search && search.charAt(0) !== '?') {
        search = '?' + search;
    }
    return protocol + (host || '') +
        path.replace(/[?#]/g, encodeURIComponent) + search.replace(/#/g, '%23') + hash;
};

// "a/b/../c" without its dots; what leads above the top is dropped.
function removeDots(path) {
    var out = [];
    var parts = path.split('/');
    parts.forEach(function (part, i) {
        var last = i === parts.length - 1;
        if (part === '..') {
            if (out.length > 1) {
                out.pop();
            }
        } else if (part !== '.') {
            out.push(part);
            return;
        }
        if (last) {
            out.push('');
        }
    });
    return out.join('/');
}

function resolveObject(from, to) {
    var base = parse(from, false, true);
    var target = parse(to, false, true);
    var out = new Url();
    var source = target;
    if (target.protocol && target.protocol !== base.protocol) {
        return target;
    }
    out.protocol = base.protocol;
    out.slashes = base.slashes;
    if (target.host === null) {
        source = base;
    }
    out.auth = source.auth;
    out.host = source.host;
    out.port = source.port;
    out.hostname = source.hostname;
    out.hash = target.hash;
    out.search = target.search;
    if (target.host !== null || target.pathname && target.pathname.charAt(0) === '/') {
        out.pathname = removeDots(target.pathname || '/');
    } else if (target.pathname) {
        out.pathname = removeDots((base.pathname || '/').replace(/[^\/]*$/, '') + target.pathname);
    } else {
        out.pathname = base.pathname;
        if (target.search === null) {
            out.search = base.search;
        }
    }
    out.query = out.search && out.search.slice(1);
    out.path = (out.pathname || '') + (out.search || '');
    out.href = out.format();
    return out;
}

Url.prototype.parse = function (text, parseQuery, slashesDenoteHost) {
    var url = parse(text, parseQuery, slashesDenoteHost);
    Object.keys(url).forEach(function (key) { this[key] = url[key]; }, this);
    return this;
};
Url.prototype.resolve = function (to) { return resolveObject(this, to).format(); };
Url.prototype.resolveObject = function (to) { return resolveObject(this, to); };

exports.Url = Url;
exports.parse = parse;
exports.format = format;
exports.resolve = function (from, to) { return resolveObject(from, to).format(); };
exports.resolveObject = resolveObject;
