//! Finds mirrors beside those of the secrets that have no use, for a diagnosis. It changes nothing.

use crate::mirror_credential::calls::gitlab::GitLabClients;
use crate::mirror_credential::health::checked_gitlabs::CheckedGitLabs;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;

/// Another mirror from the project of a mirror to its repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherMirror {
    pub record: MirrorRecord,
    /// Whether its latest push failed, as with a deleted login. Otherwise it is disabled and has
    /// never pushed, as a killed delivery leaves one.
    pub has_failed: bool,
}

/// The mirrors that lead from the project of one of `records` to its repository and have failed, or
/// are disabled and have never pushed. Another secret may name one of them.
pub async fn other_mirrors(
    gitlabs: &mut GitLabClients<'_>,
    records: &[MirrorRecord],
    checked: &CheckedGitLabs,
) -> Vec<OtherMirror> {
    let mut found = vec![];
    for record in records {
        let url = &record.gitlab_url;
        if checked.unreachable.error_of(url).is_some() {
            continue;
        }
        checked.pace.wait().await;
        let listed = match gitlabs.at(url).await {
            Ok(gitlab) => gitlab.mirrors(record.project()).await,
            Err(error) => Err(error),
        };
        // A project that cannot be read is the fault of the mirror itself.
        let listed = listed.unwrap_or_default();
        let Some(own) = listed.iter().find(|mirror| mirror.id == record.id) else {
            continue;
        };
        for mirror in &listed {
            let is_other = mirror.id != own.id && mirror.destination.is_same(&own.destination);
            let has_failed = mirror.has_failed();
            if is_other && (mirror.is_unused() || has_failed) {
                let record = MirrorRecord {
                    id: mirror.id,
                    ..record.clone()
                };
                found.push(OtherMirror { record, has_failed });
            }
        }
    }
    found
}
