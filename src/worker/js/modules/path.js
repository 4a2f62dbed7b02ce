// path: POSIX only, since a module sees its root as "/".
'use strict';

function check(path, name) {
    if (typeof path !== 'string') {
        throw new TypeError('The "' + name + '" argument must be a string');
    }
}

// The parts without "." and "..", as far as these can be taken out.
function tidy(path, absolute) {
    var out = [];
    path.split('/').forEach(function (part) {
        if (part === '' || part === '.') {
            return;
        }
        if (part !== '..') {
            out.push(part);
        } else if (out.length && out[out.length - 1] !== '..') {
            out.pop();
        } else if (!absolute) {
            out.push('..');
        }
    });
    return out.join('/');
}

function isAbsolute(path) {
    check(path, 'path');
    return path.charAt(0) === '/';
}

function normalize(path) {
    check(path, 'path');
    if (path === '') {
        return '.';
    }
    var absolute = isAbsolute(path);
    var out = tidy(path, absolute);
    if (!out && !absolute) {
        out = '.';
    }
    if (out && path.charAt(path.length - 1) === '/') {
        out += '/';
    }
    return (absolute ? '/' : '') + out;
}

function join() {
    var parts = [];
    for (var i = 0; i < arguments.length; i++) {
        check(arguments[i], 'path');
        if (arguments[i]) {
            parts.push(arguments[i]);
        }
    }
    return parts.length ? normalize(parts.join('/')) : '.';
}

// The current directory is "/".
function resolve() {
    var path = '';
    for (var i = arguments.length - 1; i >= 0 && path.charAt(0) !== '/'; i--) {
        check(arguments[i], 'path');
        if (arguments[i]) {
            path = arguments[i] + (path ? '/' + path : '');
        }
    }
    return '/' + tidy(path, true);
}

function relative(from, to) {
    var a = resolve(from).split('/').filter(Boolean);
    var b = resolve(to).split('/').filter(Boolean);
    var same = 0;
    while (same < a.length && same < b.length && a[same] === b[same]) {
        same++;
    }
    return a.slice(same).map(function () { return '..'; }).concat(b.slice(same)).join('/');
}

// Without the slashes at its end; "/" stays.
function trim(path) {
    var end = path.length;
    while (end > 1 && path.charAt(end - 1) === '/') {
        end--;
    }
    return path.slice(0, end);
}

function dirname(path) {
    check(path, 'path');
    path = trim(path);
    var slash = path.lastIndexOf('/');
    if (slash < 0) {
        return '.';
    }
    return trim(path.slice(0, slash)) || '/';
}

function basename(path, ext) {
    check(path, 'path');
    path = trim(path);
    var base = path === '/' ? '' : path.slice(path.lastIndexOf('/') + 1);
    if (ext !== undefined) {
        check(ext, 'ext');
        if (ext === path) {
            return '';
        }
        if (base !== ext && ext && base.slice(-ext.length) === ext) {
            base = base.slice(0, -ext.length);
        }
    }
    return base;
}

function extname(path) {
    var base = basename(path);
    var dot = base.lastIndexOf('.');
    return dot <= 0 || base === '..' ? '' : base.slice(dot);
}

function parse(path) {
    check(path, 'path');
    var root = isAbsolute(path) ? '/' : '';
    var base = basename(path);
    var ext = extname(path);
    var dir = dirname(path);
    return {
        root: root,
        dir: dir === '.' && path.charAt(0) !== '.' ? '' : dir,
        base: base,
        ext: ext,
        name: ext ? base.slice(0, -ext.length) : base
    };
}

function format(object) {
    if (object === null || typeof object !== 'object') {
        throw new TypeError('The "pathObject" argument must be an object');
    }
    var dir = object.dir || object.root;
    var base = object.base || (object.name || '') + (object.ext || '');
    if (!dir) {
        return base;
    }
    return dir === object.root ? dir + base : dir + '/' + base;
}

module.exports = {
    sep: '/',
    delimiter: ':',
    isAbsolute: isAbsolute,
    normalize: normalize,
    join: join,
    resolve: resolve,
    relative: relative,
    dirname: dirname,
    basename: basename,
    extname: extname,
    parse: parse,
    format: format,
    toNamespacedPath: function (path) { return path; }
};
module.exports.posix = module.exports;
