//! What would bury the story is told in a line: background frames, and what repeats itself many times in one step. The table has
//! every event all the same.

use super::super::style::Paint;
use super::mark::{Kind, Mark, Shape};
use std::collections::HashMap;

/// So many marks of one kind and host are shown in a step, of those that are nothing special.
const ORDINARY: usize = 60;
/// So many are shown of those that are.
const SPECIAL: usize = 400;

/// The marks of one step with what is too much of them collapsed.
pub(super) fn calmed(marks: Vec<Mark>) -> Vec<Mark> {
    let mut shown: Vec<Mark> = Vec::new();
    let mut groups: HashMap<Group, Heap> = HashMap::new();
    for mark in marks {
        let group = Group::of(&mark);
        let heap = groups.entry(group).or_default();
        heap.seen += 1;
        if heap.seen <= group.limit() {
            shown.push(mark);
            continue;
        }
        let text = harmless_text(&mark);
        let row = *heap.row.get_or_insert_with(|| {
            shown.push(Mark { what: Shape::Across(String::new()), paint: Paint::Dim, ..mark.clone() });
            shown.len() - 1
        });
        heap.add(text);
        if let Some(row) = shown.get_mut(row) {
            row.host = row.host.filter(|host| mark.host == Some(*host));
            row.what = Shape::Across(heap.told(group, mark.at.to_string()));
        }
    }
    shown
}

/// Marks that are collapsed together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Group {
    Background,
    Marks { kind: &'static str, name: &'static str, host: Option<usize>, special: bool },
}

impl Group {
    fn of(mark: &Mark) -> Self {
        if mark.kind == Kind::Background {
            return Self::Background;
        }
        let special =
            matches!(mark.paint, Paint::Bad | Paint::Warn | Paint::Good) || matches!(mark.what, Shape::Band { .. });
        Self::Marks { kind: mark.kind.id(), name: mark.kind.name(), host: mark.host, special }
    }

    fn limit(self) -> usize {
        match self {
            Self::Background => 0,
            Self::Marks { special: false, .. } => ORDINARY,
            Self::Marks { special: true, .. } => SPECIAL,
        }
    }
}

/// What one mark stands for.
#[derive(Default)]
struct Heap {
    seen: usize,
    row: Option<usize>,
    count: usize,
    /// The first of the texts; none if there are different ones.
    text: Option<String>,
    different: bool,
}

impl Heap {
    fn add(&mut self, text: String) {
        self.count += 1;
        self.different |= self.text.get_or_insert_with(|| text.clone()) != &text;
    }

    fn told(&self, group: Group, until: String) -> String {
        let until = if self.count > 1 { format!(", until {until} s") } else { String::new() };
        let same = self.text.as_ref().filter(|_| !self.different).map(|text| format!(" ({text})")).unwrap_or_default();
        match group {
            Group::Background if self.count == 1 => self.text.clone().unwrap_or_default(),
            Group::Background => format!("{} background frames{until}{same}", self.count),
            Group::Marks { name, .. } => format!("{} more {name}{until}{same}: see the table", self.count),
        }
    }
}

fn harmless_text(mark: &Mark) -> String {
    match &mark.what {
        Shape::Note { text, .. } | Shape::Across(text) => text.clone(),
        Shape::Arrow(arrow) => arrow.names.last().cloned().unwrap_or_default(),
        Shape::Band { head, .. } => head.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::timeline::LabTime;

    fn said(n: usize, text: &str, kind: Kind, paint: Paint) -> Mark {
        let what = Shape::Note { lane: 0, who: "p".to_owned(), text: text.to_owned() };
        Mark { at: LabTime(n as u64 * 1_000_000_000), event: n, host: Some(0), kind, paint, what }
    }

    fn across(mark: &Mark) -> &str {
        match &mark.what {
            Shape::Across(text) => text,
            _ => "",
        }
    }

    #[test]
    fn what_repeats_itself_is_told_in_one_line_where_it_begins_to() {
        let marks = (0..100).map(|n| said(n, &format!("line {n}"), Kind::Said, Paint::Plain)).collect();
        let shown = calmed(marks);
        assert_eq!(shown.len(), ORDINARY + 1);
        assert_eq!(across(shown.last().unwrap()), "40 more typed and printed, until 99.000 s: see the table");
        assert_eq!(shown.last().unwrap().event, 60);
    }

    #[test]
    fn what_is_special_among_the_many_stays() {
        let mut marks: Vec<Mark> = (0..500).map(|n| said(n, "read", Kind::Call, Paint::Plain)).collect();
        marks.insert(400, said(400, "read → ECONNRESET", Kind::Call, Paint::Bad));
        let shown = calmed(marks);
        assert_eq!(shown.len(), ORDINARY + 2);
        assert!(shown.iter().any(|mark| mark.paint == Paint::Bad));
    }

    #[test]
    fn one_background_frame_is_told_by_its_own_text_and_several_are_counted() {
        let one = calmed(vec![said(0, "client: who has", Kind::Background, Paint::Dim)]);
        assert_eq!(across(&one[0]), "client: who has");
        let two = calmed((0..2).map(|n| said(n, "x: MLD", Kind::Background, Paint::Dim)).collect());
        assert_eq!(across(&two[0]), "2 background frames, until 1.000 s (x: MLD)");
    }
}
