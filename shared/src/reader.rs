//! Reading a profile: the partitions of all identities that links connect, a round at a time, in parallel.

use futures::future::try_join_all;

use crate::{
    closure::Closure,
    identity::IdentityId,
    keys::SortKey,
    profile::{Profile, State},
    table::{Items, Table, TableError},
};

/// Reads the whole profile that `asked` belongs to.
///
/// # Errors
/// The table did not answer.
pub async fn profile(
    table: &Table,
    asked: &IdentityId,
    consistent: bool,
) -> Result<Profile, TableError> {
    let (closure, read) = close(table, asked, Part::Whole { consistent }).await?;
    let members = closure.members();
    let mut profile = Profile {
        closure,
        state: State::default(),
        partial: false,
    };
    for (id, items) in read {
        if members.contains(&id) {
            profile.partial |= items.more;
            profile.state.extend(items.items);
        }
    }
    Ok(profile)
}

/// Finds the identities of the profile that `asked` belongs to, from their heads alone; `None` if nothing is
/// recorded under it.
///
/// # Errors
/// The table did not answer.
pub async fn members(table: &Table, asked: &IdentityId) -> Result<Option<Closure>, TableError> {
    let (closure, read) = close(table, asked, Part::Head).await?;
    let is_marker = |key: &SortKey| matches!(key, SortKey::Marker(_));
    let mut items = read.iter().flat_map(|(_, items)| &items.items);
    let known = items.any(|item| !is_marker(&item.key)) || table.exists(asked).await?;
    Ok(known.then_some(closure))
}

/// What is read of each identity.
#[derive(Clone, Copy)]
enum Part {
    Whole { consistent: bool },
    Head,
}

async fn close(
    table: &Table,
    asked: &IdentityId,
    part: Part,
) -> Result<(Closure, Vec<(IdentityId, Items)>), TableError> {
    let mut closure = Closure::new(asked.clone());
    let mut read = Vec::new();
    loop {
        let round = closure.pending();
        if round.is_empty() {
            return Ok((closure, read));
        }
        let read_one = async |id| match part {
            Part::Whole { consistent } => table.identity(id, consistent).await,
            Part::Head => table.head(id).await,
        };
        let answers = try_join_all(round.iter().map(read_one)).await?;
        for (id, items) in round.into_iter().zip(answers) {
            closure.add(&id, &items.items);
            read.push((id, items));
        }
    }
}
