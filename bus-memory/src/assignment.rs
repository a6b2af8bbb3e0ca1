//! Which member gets which partition.

/// A partition as the assignment sees it: its topic, and the member that has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) topic: usize,
    pub(crate) owner: Option<u64>,
}

/// Gives each partition of `topic` to one of `members` (by id, in the order in which they joined), as evenly as can
/// be, and so that as few as possible move. The members with one more partition differ from topic to topic.
pub(crate) fn assign(topic: usize, partitions: &[Held], members: &[u64]) -> Vec<Option<u64>> {
    if members.is_empty() {
        return vec![None; partitions.len()];
    }
    let (each, extra) = (partitions.len() / members.len(), partitions.len() % members.len());
    let first = topic % members.len();
    let mut room: Vec<(u64, usize)> = members[first..]
        .iter()
        .chain(&members[..first])
        .enumerate()
        .map(|(place, member)| (*member, each + usize::from(place < extra)))
        .collect();
    let mut targets: Vec<Option<u64>> = partitions
        .iter()
        .map(|held| {
            let (owner, room) = room.iter_mut().find(|(member, _)| Some(*member) == held.owner)?;
            *room = room.checked_sub(1)?;
            Some(*owner)
        })
        .collect();
    let mut free = room.into_iter().flat_map(|(member, room)| std::iter::repeat_n(member, room));
    for target in targets.iter_mut().filter(|target| target.is_none()) {
        *target = free.next();
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(topic: usize, owners: &[Option<u64>]) -> Vec<Held> {
        owners.iter().map(|owner| Held { topic, owner: *owner }).collect()
    }

    fn assigned(topic: usize, owners: &[Option<u64>], members: &[u64]) -> Vec<u64> {
        assign(topic, &held(topic, owners), members).into_iter().map(|target| target.unwrap()).collect()
    }

    #[test]
    fn shares_evenly() {
        assert_eq!(assigned(0, &[None; 4], &[1, 2]), [1, 1, 2, 2]);
        assert_eq!(assigned(0, &[None; 5], &[1, 2]), [1, 1, 1, 2, 2]);
        assert_eq!(assigned(0, &[None; 2], &[1, 2, 3]), [1, 2]);
        assert_eq!(assigned(1, &[None; 1], &[1, 2, 3]), [2], "small topics do not all go to one member");
        assert_eq!(assign(0, &held(0, &[Some(1)]), &[]), [None]);
    }

    #[test]
    fn moves_only_what_it_must() {
        let one = Some(1);
        assert_eq!(assigned(0, &[one, one, one, one], &[1, 2]), [1, 1, 2, 2]);
        assert_eq!(assigned(0, &[one, one, Some(2), Some(2)], &[1]), [1, 1, 1, 1]);
        assert_eq!(assigned(0, &[one, Some(2), one, Some(2)], &[1, 2, 3]), [1, 2, 1, 3]);
    }
}
