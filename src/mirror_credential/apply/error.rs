//! A failed call of AWS as the failure of a delivery.

use crate::clients::aws::CallError;
use crate::mirror_credential::calls::is_concurrent;
use crate::mirror_credential::messages::with_permission;
use crate::mirror_credential::state::DeliveryError;

impl From<CallError> for DeliveryError {
    fn from(error: CallError) -> Self {
        DeliveryError {
            // "Wait a few minutes and submit your request again."
            // https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html#API_TagUser_Errors
            is_transient: error.is_transient() || is_concurrent(&error),
            reason: with_permission(error).reason(),
        }
    }
}
