// A module for execute-module: poppo module statistics summary '[3, 1, 2]'
'use strict';

var order = require('./lib/order');
var roman = require('roman');

exports.summary = function (numbers) {
    var sorted = order.ascending(numbers);

    return {count: roman(sorted.length), median: sorted[Math.floor((sorted.length - 1) / 2)]};
};
