// What a user of the framework writes: the work alone. The framework answers CloudFormation.
const { carryOut } = require('../node/mirror_credential');

exports.onEvent = carryOut;
