// events: the EventEmitter.
'use strict';

function EventEmitter() {
    EventEmitter.init.call(this);
}

EventEmitter.EventEmitter = EventEmitter;
EventEmitter.defaultMaxListeners = 10;
EventEmitter.prototype._events = undefined;
EventEmitter.prototype._eventsCount = 0;
EventEmitter.prototype._maxListeners = undefined;

EventEmitter.init = function () {
    if (!this._events || this._events === Object.getPrototypeOf(this)._events) {
        this._events = Object.create(null);
        this._eventsCount = 0;
    }
};

function check(listener) {
    if (typeof listener !== 'function') {
        throw new TypeError('The "listener" argument must be a function');
    }
}

function listenersOf(emitter, type) {
    return emitter._events && emitter._events[type] || [];
}

function add(emitter, type, listener, first) {
    check(listener);
    EventEmitter.init.call(emitter);
    if (emitter._events.newListener) {
        emitter.emit('newListener', type, listener.listener || listener);
    }
    var list = emitter._events[type];
    if (!list) {
        list = emitter._events[type] = [];
        emitter._eventsCount++;
    }
    // Those that are being called now are a list of their own.
    emitter._events[type] = first ? [listener].concat(list) : list.concat([listener]);
    return emitter;
}

function once(emitter, type, listener) {
    check(listener);
    function wrapper() {
        if (wrapper.fired) {
            return undefined;
        }
        wrapper.fired = true;
        emitter.removeListener(type, wrapper);
        return listener.apply(emitter, arguments);
    }
    wrapper.listener = listener;
    return wrapper;
}

EventEmitter.prototype.setMaxListeners = function (n) {
    if (typeof n !== 'number' || n < 0 || n !== n) {
        throw new RangeError('The value of "n" is out of range');
    }
    this._maxListeners = n;
    return this;
};

EventEmitter.prototype.getMaxListeners = function () {
    return this._maxListeners === undefined ? EventEmitter.defaultMaxListeners : this._maxListeners;
};

EventEmitter.prototype.emit = function (type) {
    var list = listenersOf(this, type);
    var args = Array.prototype.slice.call(arguments, 1);
    if (type === 'error' && !list.length) {
        if (args[0] instanceof Error) {
            throw args[0];
        }
        var error = new Error('Unhandled error. (' + String(args[0]) + ')');
        error.context = args[0];
        throw error;
    }
    for (var i = 0; i < list.length; i++) {
        list[i].apply(this, args);
    }
    return list.length > 0;
};

EventEmitter.prototype.addListener = function (type, listener) {
    return add(this, type, listener, false);
};
EventEmitter.prototype.on = EventEmitter.prototype.addListener;

EventEmitter.prototype.prependListener = function (type, listener) {
    return add(this, type, listener, true);
};

EventEmitter.prototype.once = function (type, listener) {
    return this.on(type, once(this, type, listener));
};

EventEmitter.prototype.prependOnceListener = function (type, listener) {
    return this.prependListener(type, once(this, type, listener));
};

EventEmitter.prototype.removeListener = function (type, listener) {
    check(listener);
    var list = listenersOf(this, type);
    for (var i = list.length - 1; i >= 0; i--) {
        if (list[i] !== listener && list[i].listener !== listener) {
            continue;
        }
        list = list.slice(0, i).concat(list.slice(i + 1));
        if (list.length) {
            this._events[type] = list;
        } else {
            delete this._events[type];
            this._eventsCount--;
        }
        if (this._events.removeListener) {
            this.emit('removeListener', type, listener);
        }
        break;
    }
    return this;
};
EventEmitter.prototype.off = EventEmitter.prototype.removeListener;

EventEmitter.prototype.removeAllListeners = function (type) {
    var self = this;
    if (!this._events) {
        return this;
    }
    if (arguments.length === 0) {
        Reflect.ownKeys(this._events).forEach(function (name) {
            if (name !== 'removeListener') {
                self.removeAllListeners(name);
            }
        });
        this._events = Object.create(null);
        this._eventsCount = 0;
        return this;
    }
    var list = listenersOf(this, type);
    for (var i = list.length - 1; i >= 0; i--) {
        this.removeListener(type, list[i]);
    }
    return this;
};

EventEmitter.prototype.listeners = function (type) {
    return listenersOf(this, type).map(function (f) { return f.listener || f; });
};

EventEmitter.prototype.rawListeners = function (type) {
    return listenersOf(this, type).slice();
};

EventEmitter.prototype.listenerCount = function (type) {
    return listenersOf(this, type).length;
};

EventEmitter.prototype.eventNames = function () {
    return this._events ? Reflect.ownKeys(this._events) : [];
};

EventEmitter.listenerCount = function (emitter, type) {
    return emitter.listenerCount(type);
};

module.exports = EventEmitter;
