//! The AWS CLI's commands in a text, executed by a person.

use std::time::Duration;

use aws_sdk_cloudformation::types::{DeploymentMode, Parameter, Tag as StackTag};
use aws_sdk_secretsmanager::types::Tag;
use serde_json::Value;

use fake_aws::FakeAws;
use fake_aws::clients::Clients;

/// The words of a command, after `aws`.
struct Command<'a>(Vec<&'a str>);

impl<'a> Command<'a> {
    fn of(text: &'a str) -> Self {
        let words = text.split([' ', ';']);
        Command(words.map(|word| word.trim_end_matches(['.', ',', '`'])).collect())
    }

    /// The words after `name`.
    fn after(&self, name: &str) -> &[&'a str] {
        let at = self.0.iter().position(|word| *word == name);
        &self.0[at.expect("an argument") + 1..]
    }

    fn argument(&self, name: &str) -> &'a str {
        self.after(name)[0]
    }

    /// The parameters that keep their values.
    fn parameters(&self) -> Vec<Parameter> {
        let words = self.after("--parameters").iter();
        let parameters = words.map_while(|word| {
            let key = word.strip_prefix("ParameterKey=")?.strip_suffix(",UsePreviousValue=true")?;
            let parameter = Parameter::builder().parameter_key(key);
            Some(parameter.use_previous_value(true).build())
        });
        parameters.collect()
    }
}

/// Executes every command in `text`.
///
/// # Panics
/// If one of them is unknown, or fails.
pub async fn run(fake: &FakeAws, text: &str) {
    let clients = Clients::over(fake.connector("a person"));
    for command in text.split("aws ").skip(1) {
        let command = Command::of(command);
        match command.0[0] {
            "secretsmanager" => of_secrets(&clients, &command).await,
            "cloudformation" => of_stacks(&clients, &command).await,
            "iam" => fake.user(command.argument("--user-name")),
            "codecommit" => fake.repository(command.argument("--repository-name")),
            other => panic!("{other}"),
        }
    }
}

async fn of_secrets(clients: &Clients, command: &Command<'_>) {
    let (secrets, id) = (&clients.secrets, command.argument("--secret-id"));
    match command.0[1] {
        "restore-secret" => {
            let call = secrets.restore_secret().secret_id(id);
            call.send().await.expect("a secret");
        }
        "tag-resource" => {
            let tags = command.after("--tags").iter().map_while(|tag| {
                let (key, value) = tag.strip_prefix("Key=")?.split_once(",Value=")?;
                Some(Tag::builder().key(key).value(value).build())
            });
            let call = secrets.tag_resource().secret_id(id).set_tags(Some(tags.collect()));
            call.send().await.expect("a secret");
        }
        other => panic!("{other}"),
    }
}

async fn of_stacks(clients: &Clients, command: &Command<'_>) {
    let (stacks, name) = (&clients.cloudformation, command.argument("--stack-name"));
    match command.0[1] {
        "delete-stack" => {
            let call = stacks.delete_stack().stack_name(name);
            call.send().await.expect("a stack");
        }
        "update-stack" => {
            assert!(command.0.contains(&"--use-previous-template"));
            let tags = command.argument("--tags").trim_matches('\'');
            let tags: Vec<Value> = serde_json::from_str(tags).expect("JSON");
            let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
            let tags = tags.iter().map(|tag| {
                let of_stack = StackTag::builder().set_key(text(&tag["Key"]));
                of_stack.set_value(text(&tag["Value"])).build()
            });
            let call = stacks.update_stack().stack_name(name).use_previous_template(true);
            let call = call.set_tags(Some(tags.collect()));
            let call = call.set_parameters(Some(command.parameters()));
            call.send().await.expect("a stack");
        }
        "create-change-set" => {
            assert_eq!(command.argument("--deployment-mode"), "REVERT_DRIFT");
            let call = stacks.create_change_set().stack_name(name);
            let call = call.change_set_name(command.argument("--change-set-name"));
            let call = call.deployment_mode(DeploymentMode::RevertDrift);
            let call = call.use_previous_template(true).role_arn(command.argument("--role-arn"));
            let call = call.set_parameters(Some(command.parameters()));
            call.send().await.expect("a change set");
        }
        "execute-change-set" => {
            let call = stacks.execute_change_set().stack_name(name);
            let call = call.change_set_name(command.argument("--change-set-name"));
            call.send().await.expect("a change set");
        }
        other => panic!("{other}"),
    }
    tokio::time::sleep(Duration::from_mins(2)).await;
}
