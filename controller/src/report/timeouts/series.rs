//! Every retransmission, and every probe, of a run: how long the kernel waited for each.

use super::Timed;
use crate::scenario::SegmentKind;
use crate::timeline::LabTime;
use std::time::Duration;

/// What is sent again and again in a scenario.
pub(super) struct Series {
    /// What it shows, as a heading.
    pub(super) title: &'static str,
    pub(super) scenario: &'static str,
    /// What is to be known of it.
    pub(super) words: &'static str,
    /// When it was sent, the first time included.
    pub(super) sent: fn(&Timed) -> Option<Vec<LabTime>>,
}

pub(super) const SERIES: &[Series] = &[
    Series {
        title: "A SYN that nobody answers",
        scenario: "connect-timeout",
        words: "The time doubles each time; since Linux 6.5 only after some SYNs a second apart.",
        sent: |run| Some(run.frames("client", SegmentKind::Syn, run.began("call")?)),
    },
    Series {
        title: "Data, in a network that swallows it",
        scenario: "outage-ten-minutes",
        words: "Nothing comes back at all, so each wait is twice the last, up to 120 s: what the textbook describes. The last one got through.",
        sent: |run| data(run, "second-line"),
    },
    Series {
        title: "Data, to a host on the same link that is dead",
        scenario: "host-crash",
        words: "As the kernel tells of it. When the neighbour entry has failed, segments do not leave the host any more, its own ICMP messages undo each doubling, and the waits stay what they are.",
        sent: |run| data(run, "second-line"),
    },
    Series {
        title: "Data, to a host behind a router that is dead",
        scenario: "host-crash-routed",
        words: "The router's ICMP messages undo each doubling from the time on when its neighbour entry has failed.",
        sent: |run| data(run, "second-line"),
    },
    Series {
        title: "Data, while a router says that the host cannot be reached",
        scenario: "host-unreachable-default",
        words: "The messages come from the beginning, as often as the router's rate limit lets them.",
        sent: |run| data(run, "second-line"),
    },
    Series {
        title: "Data, while a router says that the network cannot be reached",
        scenario: "net-unreachable-default",
        words: "The same with the other message.",
        sent: |run| data(run, "second-line"),
    },
    Series {
        title: "Probes of a closed window",
        scenario: "zero-window-crash",
        words: "The first is counted from the last segment before it. The peer's host answered until it died, five minutes after the first; that changes nothing in the waits.",
        sent: |run| {
            let probes = run.frames("client", SegmentKind::PureAck, run.began("paste")?);
            let last = run.last_segment(*probes.first()?)?;
            Some([vec![last], probes].concat())
        },
    },
];

/// The line that was typed in this step, as the wire had it first, and as the kernel sent it again.
pub(super) fn data(run: &Timed, step: &str) -> Option<Vec<LabTime>> {
    let began = run.began(step)?;
    let first = *run.frames("client", SegmentKind::Data, began).first()?;
    let next = run.began("third-line").unwrap_or(LabTime(u64::MAX));
    let again = run.retransmissions(first).into_iter().filter(|at| *at < next);
    Some([first].into_iter().chain(again).collect())
}

/// A stretch of a series whose waits are the same in each column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The number of the first of them and of the last; the first sending is number 0.
    pub(super) numbers: (usize, usize),
    /// For each column the wait before the first of them, and when the last of them was sent, since the first sending; none
    /// where there were not so many.
    pub(super) columns: Vec<Option<(Duration, Duration)>>,
}

/// Waits that differ by less are the same: what is between two ticks of a kernel's clock, 4 ms, may fall to either.
const SAME: Duration = Duration::from_millis(10);

/// Several series beside each other, what is even in one row.
pub(super) fn stretches(columns: &[Vec<LabTime>]) -> Vec<Stretch> {
    let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut found: Vec<Stretch> = Vec::new();
    for number in 1..longest {
        let of = |times: &Vec<LabTime>| -> Option<(Duration, Duration)> {
            let (last, this) = (times.get(number - 1)?, times.get(number)?);
            Some((this.since(*last), this.since(*times.first()?)))
        };
        let row: Vec<_> = columns.iter().map(of).collect();
        let alike = |it: &Stretch| {
            it.columns.iter().zip(&row).all(|(one, other)| match (one, other) {
                (Some((one, _)), Some((other, _))) => one.abs_diff(*other) < SAME,
                (None, None) => true,
                _ => false,
            })
        };
        match found.last_mut() {
            Some(stretch) if alike(stretch) => {
                stretch.numbers.1 = number;
                for (wait, now) in stretch.columns.iter_mut().zip(row) {
                    *wait = wait.zip(now).map(|((first, _), (_, at))| (first, at));
                }
            }
            _ => found.push(Stretch { numbers: (number, number), columns: row }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(ms: &[u64]) -> Vec<LabTime> {
        ms.iter().map(|ms| LabTime(ms * 1_000_000)).collect()
    }

    #[test]
    fn what_is_even_in_all_columns_is_one_stretch() {
        let ms = Duration::from_millis;
        let found = stretches(&[times(&[100, 300, 700, 1100, 1504]), times(&[0, 200, 600, 1000])]);
        let row = |first, last, columns| Stretch { numbers: (first, last), columns };
        assert_eq!(
            found,
            [
                row(1, 1, vec![Some((ms(200), ms(200))), Some((ms(200), ms(200)))]),
                row(2, 3, vec![Some((ms(400), ms(1000))), Some((ms(400), ms(1000)))]),
                row(4, 4, vec![Some((ms(404), ms(1404))), None]),
            ]
        );
    }

    #[test]
    fn one_sending_alone_has_no_wait() {
        assert_eq!(stretches(&[times(&[5])]), []);
        assert_eq!(stretches(&[]), []);
    }
}
