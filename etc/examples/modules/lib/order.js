'use strict';

exports.ascending = function (numbers) {
    return numbers.slice().sort(function (a, b) { return a - b; });
};
