//! Finds the mirrors that a killed delivery may have left, for a diagnosis. It changes nothing.

use crate::clients::gitlab::Mirror;
use crate::mirror_credential::calls::gitlab::GitLabClients;
use crate::mirror_credential::health::checked_gitlabs::CheckedGitLabs;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;

/// The disabled mirrors that have never pushed and lead from the project of one of `records` to its
/// repository. Another secret may name one of them.
pub async fn disabled_mirrors(
    gitlabs: &mut GitLabClients<'_>,
    records: &[MirrorRecord],
    checked: &CheckedGitLabs,
) -> Vec<MirrorRecord> {
    let mut found = vec![];
    for record in records {
        let url = &record.gitlab_url;
        if checked.unreachable.error_of(url).is_some() {
            continue;
        }
        checked.pace.wait().await;
        let listed = match gitlabs.at(url).await {
            Ok(gitlab) => gitlab.mirrors(&record.project).await,
            Err(error) => Err(error),
        };
        // A project that cannot be read is the fault of the mirror itself.
        let listed = listed.unwrap_or_default();
        let Some(own) = listed.iter().find(|mirror| mirror.id == record.id) else {
            continue;
        };
        let is_left = |mirror: &&Mirror| {
            let has_pushed = mirror.started_at.is_some() || mirror.updated_at.is_some();
            !mirror.enabled && !has_pushed && mirror.destination.is_same(&own.destination)
        };
        found.extend(listed.iter().filter(is_left).map(|mirror| MirrorRecord {
            id: mirror.id,
            ..record.clone()
        }));
    }
    found
}
