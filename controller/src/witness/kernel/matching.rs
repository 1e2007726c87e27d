//! Which frame of a guest's trace is which frame of the switch's.
//!
//! Both saw the same frames in the same order, but for those that one of them never saw: a machine that boots, or whose carrier
//! is gone, sends what never arrives; a trace that overran lacks some. A frame is known by its length and its neighbours.

/// Where the two differ, so many frames are looked ahead for a place where they agree again.
const AHEAD: usize = 64;

/// They agree again where so many frames in a row have the same lengths.
const RUN: usize = 3;

/// Pairs of positions of what is most likely the same frame, in order, by the lengths `left` and `right`.
pub(super) fn pairs(left: &[u32], right: &[u32]) -> Vec<(usize, usize)> {
    let (mut l, mut r) = (0, 0);
    let mut pairs = Vec::new();
    while l < left.len() && r < right.len() {
        if left[l] == right[r] {
            pairs.push((l, r));
            (l, r) = (l + 1, r + 1);
            continue;
        }
        let Some((skip_left, skip_right)) = resume(&left[l..], &right[r..]) else { break };
        (l, r) = (l + skip_left, r + skip_right);
    }
    pairs
}

/// How many frames must be left out on either side until both agree again: as few as possible.
fn resume(left: &[u32], right: &[u32]) -> Option<(usize, usize)> {
    (1..=2 * AHEAD).find_map(|total| {
        (0..=total).map(|skip| (skip, total - skip)).find(|(l, r)| {
            let (left, right) = (left.get(*l..).unwrap_or_default(), right.get(*r..).unwrap_or_default());
            let run = RUN.min(left.len()).min(right.len());
            run > 0 && left[..run] == right[..run]
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_both_saw_are_paired_in_order() {
        assert_eq!(pairs(&[90, 66, 70], &[90, 66, 70]), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(pairs(&[], &[1]), []);
    }

    #[test]
    fn frames_that_only_one_saw_are_left_out() {
        let all = [90, 42, 74, 66, 79, 66, 80, 54];
        assert_eq!(pairs(&all, &all[2..]), (2..8).map(|n| (n, n - 2)).collect::<Vec<_>>());
        assert_eq!(pairs(&all[1..], &all), (1..8).map(|n| (n - 1, n)).collect::<Vec<_>>());
        let lost: Vec<u32> = all.iter().copied().filter(|length| *length != 79).collect();
        assert_eq!(pairs(&all, &lost).len(), 7);
        assert_eq!(pairs(&lost, &all).last(), Some(&(6, 7)));
    }

    #[test]
    fn what_has_nothing_in_common_is_not_paired() {
        assert_eq!(pairs(&[1, 2, 3], &[4, 5, 6]), []);
    }
}
