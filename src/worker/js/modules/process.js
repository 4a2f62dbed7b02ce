// process: what packages look at to find out where they are. There is no process to steer.
'use strict';

var started = Date.now();

var process = {
    title: 'poppo',
    // Nothing newer than ES5 is promised, and packages choose by this number.
    version: 'v0.10.48',
    versions: Object.freeze({node: '0.10.48', duktape: '2.7.0'}),
    platform: 'linux',
    arch: 'x64',
    env: Object.freeze({}),
    argv: Object.freeze([]),
    execArgv: Object.freeze([]),
    cwd: function () { return '/'; },
    nextTick: native.nextTick,
    uptime: function () { return (Date.now() - started) / 1000; },
    hrtime: function (since) {
        var now = Date.now();
        var time = [Math.floor(now / 1000), now % 1000 * 1e6];
        if (since) {
            time = [time[0] - since[0], time[1] - since[1]];
            if (time[1] < 0) {
                time = [time[0] - 1, time[1] + 1e9];
            }
        }
        return time;
    }
};

module.exports = Object.freeze(process);
