use crate::handler::HandlerError;
use crate::health_check::EnvironmentError;
use cfn_custom_resource::SendError;

#[test]
fn error_names_are_short_and_distinct() {
    let errors = [
        HandlerError::UnknownEvent,
        HandlerError::ResponseNotDelivered(SendError::Unreachable),
        HandlerError::MaybeContinued,
        HandlerError::NoEnvironment(EnvironmentError::Unnamed),
        HandlerError::OutOfTime,
        HandlerError::Panicked,
    ];
    let names = errors.each_ref().map(HandlerError::name);
    for (index, name) in names.iter().enumerate() {
        assert!(name.chars().all(|c| c.is_ascii_alphabetic()), "{name}");
        assert!(!names[..index].contains(name), "{name}");
    }
}
