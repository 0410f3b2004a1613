//! The commands of remedies, by their program.

use cfn_custom_resource::Command;

pub fn aws<const N: usize>(words: [&str; N]) -> Command {
    Command::default().with(["aws"]).with(words)
}

pub fn cfn_gitops<const N: usize>(words: [&str; N]) -> Command {
    Command::default().with(["cfn-gitops"]).with(words)
}

/// A command for a stack that keeps the values of all its `parameters`.
pub fn with_previous_values<'a>(
    command: Command,
    parameters: impl IntoIterator<Item = &'a String>,
) -> Command {
    let kept = parameters
        .into_iter()
        .map(|it| format!("ParameterKey={it},UsePreviousValue=true"));
    let mut kept = kept.peekable();
    command.with(kept.peek().map(|_| "--parameters")).with(kept)
}

pub fn create_repository(name: &str) -> Command {
    aws(["codecommit", "create-repository", "--repository-name", name])
}

/// The command that ends the deletion of the secret `name`.
pub fn restore_secret(name: &str) -> Command {
    aws(["secretsmanager", "restore-secret", "--secret-id", name])
}

pub fn delete_secret(name: &str) -> Command {
    let command = aws(["secretsmanager", "delete-secret", "--secret-id", name]);
    command.with(["--force-delete-without-recovery"])
}

pub fn delete_credential(user_name: &str, id: &str) -> Command {
    aws([
        "iam",
        "delete-service-specific-credential",
        "--user-name",
        user_name,
        "--service-specific-credential-id",
        id,
    ])
}
