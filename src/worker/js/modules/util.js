// util: what packages use of it.
'use strict';

function tagOf(value) {
    return Object.prototype.toString.call(value).slice(8, -1);
}

function isError(value) {
    return value instanceof Error || tagOf(value) === 'Error';
}

// ---- inspect ----

function quoteKey(key) {
    if (typeof key === 'symbol') {
        return '[' + String(key) + ']';
    }
    return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key);
}

function quote(text) {
    var out = JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"');
    if (out.indexOf("'") < 0) {
        return "'" + out + "'";
    }
    return out.indexOf('"') < 0 ? '"' + out + '"' : "'" + out.replace(/'/g, "\\'") + "'";
}

function inspectPrimitive(value) {
    if (typeof value === 'string') {
        return quote(value);
    }
    return value === 0 && 1 / value < 0 ? '-0' : String(value);
}

function nameOf(value) {
    var proto = Object.getPrototypeOf(value);
    if (proto === null) {
        return '[Object: null prototype]';
    }
    var constructor = Object.getOwnPropertyDescriptor(proto, 'constructor');
    return constructor && typeof constructor.value === 'function' && constructor.value.name || 'Object';
}

function inspectFunction(value) {
    return value.name ? '[Function: ' + value.name + ']' : '[Function (anonymous)]';
}

// What stands for an object as a whole; its properties follow when there are any.
function headOf(value) {
    if (typeof value === 'function') {
        return inspectFunction(value);
    }
    switch (tagOf(value)) {
    case 'Date':
        return isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    case 'RegExp':
        return String(value);
    case 'Number':
    case 'Boolean':
    case 'String':
        return '[' + tagOf(value) + ': ' + inspectPrimitive(value.valueOf()) + ']';
    case 'Error':
        return value.stack ? String(value.stack) : '[' + Error.prototype.toString.call(value) + ']';
    default:
        return '';
    }
}

function keysOf(value, options) {
    var keys = options.showHidden ? Object.getOwnPropertyNames(value) : Object.keys(value);
    if (isError(value)) {
        keys = keys.filter(function (key) {
            return key !== 'message' && key !== 'stack' && key !== 'name' && key !== 'fileName' && key !== 'lineNumber';
        });
    }
    return Array.isArray(value) || value instanceof Uint8Array
        ? keys.filter(function (key) { return !/^\d+$/.test(key) && key !== 'length'; }) : keys;
}

function inspectProperty(value, key, state) {
    var d = Object.getOwnPropertyDescriptor(value, key);
    if (d && d.get) {
        return d.set ? '[Getter/Setter]' : '[Getter]';
    }
    if (d && d.set) {
        return '[Setter]';
    }
    return inspectValue(value[key], state, state.depth + 1);
}

function inspectElements(value, state) {
    var out = [];
    var holes = 0;
    var max = Math.min(value.length, state.options.maxArrayLength);
    for (var i = 0; i < max; i++) {
        if (i in value) {
            out.push(inspectProperty(value, i, state));
            continue;
        }
        holes++;
        if (i + 1 === max || i + 1 in value) {
            out.push('<' + holes + ' empty item' + (holes > 1 ? 's>' : '>'));
            holes = 0;
        }
    }
    if (value.length > max) {
        out.push('... ' + (value.length - max) + ' more item' + (value.length - max > 1 ? 's' : ''));
    }
    return out;
}

function layOut(parts, open, close, depth) {
    var line = open + ' ' + parts.join(', ') + ' ' + close;
    if (!parts.length) {
        return open + close;
    }
    if (line.length <= 72 && line.indexOf('\n') < 0) {
        return line;
    }
    var indent = new Array(depth + 2).join('  ');
    return open + '\n' + indent + parts.join(',\n' + indent) + '\n' + indent.slice(2) + close;
}

function inspectCustom(value, state) {
    var f = value[inspect.custom];
    if (typeof f !== 'function' || f === inspect) {
        return undefined;
    }
    var out = f.call(value, state.options.depth - state.depth, state.options, inspect);
    return typeof out === 'string' ? out : inspectValue(out, state, state.depth);
}

function inspectObject(value, state) {
    var list = Array.isArray(value);
    var bytes = value instanceof Uint8Array;
    var name = nameOf(value);
    var head = headOf(value);
    var parts = list || bytes ? inspectElements(value, state) : [];
    parts = parts.concat(keysOf(value, state.options).map(function (key) {
        return quoteKey(key) + ': ' + inspectProperty(value, key, state);
    }));
    if (list) {
        return layOut(parts, name === 'Array' ? '[' : name + '(' + value.length + ') [', ']', state.depth);
    }
    if (bytes) {
        return layOut(parts, name + '(' + value.length + ') [', ']', state.depth);
    }
    if (head && !parts.length) {
        return head;
    }
    return layOut(parts, (head || (name === 'Object' ? '' : name)).replace(/(.)$/, '$1 ') + '{', '}', state.depth);
}

function inspectValue(value, state, depth) {
    if (value === null || typeof value !== 'object' && typeof value !== 'function') {
        return inspectPrimitive(value);
    }
    if (state.seen.indexOf(value) >= 0) {
        return '[Circular *1]';
    }
    var inner = {options: state.options, depth: depth, seen: state.seen.concat([value])};
    var custom = inner.options.customInspect ? inspectCustom(value, inner) : undefined;
    if (custom !== undefined) {
        return custom;
    }
    if (depth > state.options.depth && !headOf(value)) {
        return Array.isArray(value) ? '[Array]' : '[' + nameOf(value) + ']';
    }
    return inspectObject(value, inner);
}

// inspect(value, options) or, as it was, inspect(value, showHidden, depth).
function inspect(value, options, depth) {
    var state = {showHidden: false, depth: 2, customInspect: true, maxArrayLength: 100};
    if (typeof options === 'boolean') {
        state.showHidden = options;
        if (depth !== undefined) {
            state.depth = depth;
        }
    } else {
        Object.keys(options || {}).forEach(function (key) { state[key] = options[key]; });
    }
    if (state.depth === null) {
        state.depth = Infinity;
    }
    if (state.maxArrayLength === null) {
        state.maxArrayLength = Infinity;
    }
    return inspectValue(value, {options: state, seen: []}, 0);
}
inspect.custom = Symbol.for('nodejs.util.inspect.custom');
inspect.defaultOptions = {};

// ---- format ----

function formatJson(value) {
    try {
        return JSON.stringify(value);
    } catch (e) {
        return '[Circular]';
    }
}

function formatText(value) {
    return typeof value === 'object' && value !== null ? inspect(value, {depth: 0}) : String(value);
}

var conversions = {
    s: formatText,
    d: function (value) { return typeof value === 'object' || typeof value === 'symbol' ? 'NaN' : String(Number(value)); },
    i: function (value) { return typeof value === 'object' || typeof value === 'symbol' ? 'NaN' : String(parseInt(value, 10)); },
    f: function (value) { return typeof value === 'symbol' ? 'NaN' : String(parseFloat(value)); },
    j: formatJson,
    o: function (value) { return inspect(value, {showHidden: true, depth: 4}); },
    O: function (value) { return inspect(value); },
    c: function () { return ''; }
};

function format(first) {
    var args = arguments;
    var used = 0;
    var out = [];
    if (typeof first === 'string') {
        used = 1;
        out.push(args.length === 1 ? first : first.replace(/%[sdifjoOc%]/g, function (all) {
            if (all === '%%') {
                return '%';
            }
            return used < args.length ? conversions[all.charAt(1)](args[used++]) : all;
        }));
    }
    for (; used < args.length; used++) {
        out.push(typeof args[used] === 'string' ? args[used] : inspect(args[used]));
    }
    return out.join(' ');
}

// ---- functions and classes ----

function inherits(constructor, parent) {
    if (typeof constructor !== 'function' || typeof parent !== 'function' || !parent.prototype) {
        throw new TypeError('inherits() needs two constructors');
    }
    Object.defineProperty(constructor, 'super_', {value: parent, writable: true, configurable: true});
    Object.setPrototypeOf(constructor.prototype, parent.prototype);
}

function deprecate(f, message) {
    var said = false;
    return function () {
        if (!said) {
            said = true;
            console.warn('DeprecationWarning: ' + message);
        }
        return f.apply(this, arguments);
    };
}

// A promise needs a constructor of promises, which a package may bring.
function promisify(f) {
    if (typeof f !== 'function') {
        throw new TypeError('The "original" argument must be a function');
    }
    if (f[promisify.custom]) {
        return f[promisify.custom];
    }
    return function () {
        var self = this;
        var args = Array.prototype.slice.call(arguments);
        return new Promise(function (resolve, reject) {
            f.apply(self, args.concat([function (error, value) {
                return error ? reject(error) : resolve(value);
            }]));
        });
    };
}
promisify.custom = Symbol.for('nodejs.util.promisify.custom');

function callbackify(f) {
    return function () {
        var args = Array.prototype.slice.call(arguments);
        var done = args.pop();
        f.apply(this, args).then(function (value) {
            process.nextTick(done, null, value);
        }, function (error) {
            process.nextTick(done, error || new Error('Promise was rejected with a falsy value'));
        });
    };
}

function isType(name) {
    return function (value) { return typeof value === name; };
}

function isTag(name) {
    return function (value) { return tagOf(value) === name; };
}

exports.inspect = inspect;
exports.format = format;
exports.inherits = inherits;
exports.deprecate = deprecate;
exports.promisify = promisify;
exports.callbackify = callbackify;
exports.debuglog = exports.debug = function () {
    return function () {};
};
exports.isDeepStrictEqual = function (a, b) {
    try {
        require('assert').deepStrictEqual(a, b);
        return true;
    } catch (e) {
        return false;
    }
};
exports._extend = function (target, source) {
    Object.keys(source || {}).forEach(function (key) { target[key] = source[key]; });
    return target;
};
exports.isArray = Array.isArray;
exports.isBoolean = isType('boolean');
exports.isNull = function (value) { return value === null; };
exports.isNullOrUndefined = function (value) { return value === null || value === undefined; };
exports.isNumber = isType('number');
exports.isString = isType('string');
exports.isSymbol = isType('symbol');
exports.isUndefined = isType('undefined');
exports.isFunction = isType('function');
exports.isRegExp = isTag('RegExp');
exports.isDate = isTag('Date');
exports.isError = isError;
exports.isObject = function (value) { return value !== null && typeof value === 'object'; };
exports.isPrimitive = function (value) {
    return value === null || typeof value !== 'object' && typeof value !== 'function';
};
exports.isBuffer = function (value) { return require('buffer').Buffer.isBuffer(value); };
exports.types = {
    isDate: exports.isDate,
    isRegExp: exports.isRegExp,
    isNativeError: isError,
    isUint8Array: function (value) { return value instanceof Uint8Array; },
    isTypedArray: function (value) { return ArrayBuffer.isView(value) && tagOf(value) !== 'DataView'; },
    isArrayBuffer: isTag('ArrayBuffer'),
    isArrayBufferView: function (value) { return ArrayBuffer.isView(value); },
    isPromise: isTag('Promise')
};
exports.TextEncoder = TextEncoder;
exports.TextDecoder = TextDecoder;
