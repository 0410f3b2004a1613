// One CodeCommit credential of an IAM user, and the secret that holds its password. Used by the
// function beside this file and by the one under CDK's provider framework.
const {
  IAMClient,
  CreateServiceSpecificCredentialCommand,
  DeleteServiceSpecificCredentialCommand,
  ResetServiceSpecificCredentialCommand,
} = require('@aws-sdk/client-iam');
const {
  SecretsManagerClient,
  CreateSecretCommand,
  DeleteSecretCommand,
  PutSecretValueCommand,
} = require('@aws-sdk/client-secrets-manager');

// Once per cold start, as AWS advises.
const iam = new IAMClient({});
const secrets = new SecretsManagerClient({});

const SERVICE = 'codecommit.amazonaws.com';

const secretName = (userName) => `codecommit-mirror/${userName}`;

const secretValue = (credential) =>
  JSON.stringify({ username: credential.ServiceUserName, password: credential.ServicePassword });

async function ignoring(name, call) {
  try {
    await call;
  } catch (error) {
    if (error.name !== name) throw error;
  }
}

const removeCredential = (userName, id) =>
  ignoring(
    'NoSuchEntityException',
    iam.send(new DeleteServiceSpecificCredentialCommand({ UserName: userName, ServiceSpecificCredentialId: id })),
  );

const answer = (credential, secret) => ({
  PhysicalResourceId: credential.ServiceSpecificCredentialId,
  Data: {
    SecretArn: secret.ARN,
    ServiceUserName: credential.ServiceUserName,
    ServiceSpecificCredentialId: credential.ServiceSpecificCredentialId,
  },
});

async function create({ ResourceProperties: { UserName } }) {
  const { ServiceSpecificCredential: credential } = await iam.send(
    new CreateServiceSpecificCredentialCommand({ UserName, ServiceName: SERVICE }),
  );
  try {
    const secret = await secrets.send(
      new CreateSecretCommand({ Name: secretName(UserName), SecretString: secretValue(credential) }),
    );
    return answer(credential, secret);
  } catch (error) {
    // The Delete that follows a failed Create would not know the credential's id.
    await removeCredential(UserName, credential.ServiceSpecificCredentialId);
    throw error;
  }
}

async function update(event) {
  const { UserName } = event.ResourceProperties;
  // Another user's credential has another id, so CloudFormation deletes the old one afterwards.
  if (UserName !== event.OldResourceProperties.UserName) return create(event);
  const { ServiceSpecificCredential: credential } = await iam.send(
    new ResetServiceSpecificCredentialCommand({ UserName, ServiceSpecificCredentialId: event.PhysicalResourceId }),
  );
  const secret = await secrets.send(
    new PutSecretValueCommand({ SecretId: secretName(UserName), SecretString: secretValue(credential) }),
  );
  return answer(credential, secret);
}

async function remove({ PhysicalResourceId, ResourceProperties: { UserName } }) {
  await Promise.all([
    removeCredential(UserName, PhysicalResourceId),
    ignoring(
      'ResourceNotFoundException',
      secrets.send(new DeleteSecretCommand({ SecretId: secretName(UserName), ForceDeleteWithoutRecovery: true })),
    ),
  ]);
  return { PhysicalResourceId };
}

const REQUESTS = { Create: create, Update: update, Delete: remove };

exports.carryOut = (event) => REQUESTS[event.RequestType](event);
