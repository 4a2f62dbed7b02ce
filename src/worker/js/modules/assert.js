// assert: comparisons that throw an AssertionError.
'use strict';

var util = require('util');

function AssertionError(options) {
    this.name = 'AssertionError';
    this.code = 'ERR_ASSERTION';
    this.actual = options.actual;
    this.expected = options.expected;
    this.operator = options.operator;
    this.generatedMessage = !options.message;
    this.message = options.message ||
        util.inspect(this.actual) + ' ' + this.operator + ' ' + util.inspect(this.expected);
    if (Error.captureStackTrace) {
        Error.captureStackTrace(this, AssertionError);
    } else {
        this.stack = String(new Error(this.message).stack).replace(/^Error/, this.name);
    }
}
util.inherits(AssertionError, Error);

function fail(actual, expected, message, operator) {
    if (message instanceof Error) {
        throw message;
    }
    throw new AssertionError({actual: actual, expected: expected, message: message, operator: operator});
}

function assert(value, message) {
    if (!value) {
        fail(value, true, message, '==');
    }
}

function isSame(a, b) {
    return a === b ? a !== 0 || 1 / a === 1 / b : a !== a && b !== b;
}

function tagOf(value) {
    return Object.prototype.toString.call(value);
}

function ownKeys(value) {
    return Object.keys(value).sort();
}

// Pairs that are being compared further up: a cycle is as equal as the rest of it.
function deepEqual(a, b, strict, pairs) {
    if (isSame(a, b) || (!strict && a == b)) {
        return true;
    }
    if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') {
        return false;
    }
    if (tagOf(a) !== tagOf(b) || (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b))) {
        return false;
    }
    if (a instanceof Date) {
        return a.getTime() === b.getTime();
    }
    if (a instanceof RegExp) {
        return String(a) === String(b) && a.lastIndex === b.lastIndex;
    }
    if (a instanceof Error && (a.message !== b.message || a.name !== b.name)) {
        return false;
    }
    if ((a instanceof Number || a instanceof String || a instanceof Boolean) && !isSame(a.valueOf(), b.valueOf())) {
        return false;
    }
    if (pairs.some(function (pair) { return pair[0] === a && pair[1] === b; })) {
        return true;
    }
    var keys = ownKeys(a);
    if (Array.isArray(a) && a.length !== b.length || keys.join('\0') !== ownKeys(b).join('\0')) {
        return false;
    }
    pairs = pairs.concat([[a, b]]);
    return keys.every(function (key) { return deepEqual(a[key], b[key], strict, pairs); });
}

function fits(error, expected) {
    if (expected === undefined) {
        return true;
    }
    if (expected instanceof RegExp) {
        return expected.test(String(error));
    }
    if (typeof expected === 'function') {
        if (expected.prototype !== undefined && error instanceof expected) {
            return true;
        }
        if (Error.isPrototypeOf(expected) || expected === Error) {
            return false;
        }
        return expected.call({}, error) === true;
    }
    return Object.keys(expected).every(function (key) {
        return expected[key] instanceof RegExp && typeof error[key] === 'string' ? expected[key].test(error[key])
            : deepEqual(error[key], expected[key], true, []);
    });
}

function thrownBy(f) {
    if (typeof f !== 'function') {
        throw new TypeError('The "fn" argument must be a function');
    }
    try {
        f();
    } catch (e) {
        return {error: e};
    }
    return null;
}

assert.AssertionError = AssertionError;
assert.ok = assert;
assert.fail = function (actual, expected, message, operator) {
    if (arguments.length < 2) {
        fail(undefined, undefined, actual === undefined ? 'Failed' : actual, 'fail');
    }
    fail(actual, expected, message, operator || '!=');
};
assert.equal = function (a, b, message) {
    if (!(a == b || a !== a && b !== b)) {
        fail(a, b, message, '==');
    }
};
assert.notEqual = function (a, b, message) {
    if (a == b) {
        fail(a, b, message, '!=');
    }
};
assert.strictEqual = function (a, b, message) {
    if (!isSame(a, b)) {
        fail(a, b, message, 'strictEqual');
    }
};
assert.notStrictEqual = function (a, b, message) {
    if (isSame(a, b)) {
        fail(a, b, message, 'notStrictEqual');
    }
};
assert.deepEqual = function (a, b, message) {
    if (!deepEqual(a, b, false, [])) {
        fail(a, b, message, 'deepEqual');
    }
};
assert.notDeepEqual = function (a, b, message) {
    if (deepEqual(a, b, false, [])) {
        fail(a, b, message, 'notDeepEqual');
    }
};
assert.deepStrictEqual = function (a, b, message) {
    if (!deepEqual(a, b, true, [])) {
        fail(a, b, message, 'deepStrictEqual');
    }
};
assert.notDeepStrictEqual = function (a, b, message) {
    if (deepEqual(a, b, true, [])) {
        fail(a, b, message, 'notDeepStrictEqual');
    }
};
assert.throws = function (f, expected, message) {
    var thrown = thrownBy(f);
    if (typeof expected === 'string') {
        message = expected;
        expected = undefined;
    }
    if (!thrown) {
        fail(undefined, expected, message || 'Missing expected exception.', 'throws');
    }
    if (!fits(thrown.error, expected)) {
        throw thrown.error;
    }
};
assert.doesNotThrow = function (f, message) {
    var thrown = thrownBy(f);
    if (thrown) {
        fail(thrown.error, undefined, typeof message === 'string' ? message : 'Got unwanted exception.', 'doesNotThrow');
    }
};
assert.ifError = function (value) {
    if (value !== null && value !== undefined) {
        throw value instanceof Error ? value : new AssertionError({actual: value, operator: 'ifError',
            message: 'ifError got unwanted exception: ' + String(value)});
    }
};
assert.match = function (text, pattern, message) {
    if (typeof text !== 'string' || !pattern.test(text)) {
        fail(text, pattern, message, 'match');
    }
};
assert.doesNotMatch = function (text, pattern, message) {
    if (typeof text === 'string' && pattern.test(text)) {
        fail(text, pattern, message, 'doesNotMatch');
    }
};

// The strict form: the same functions under the lenient ones' names.
assert.strict = function (value, message) {
    assert(value, message);
};
Object.keys(assert).forEach(function (name) {
    if (name !== 'strict') {
        assert.strict[name] = assert[name];
    }
});
assert.strict.equal = assert.strictEqual;
assert.strict.notEqual = assert.notStrictEqual;
assert.strict.deepEqual = assert.deepStrictEqual;
assert.strict.notDeepEqual = assert.notDeepStrictEqual;
assert.strict.strict = assert.strict;

module.exports = assert;
