use super::*;
use crate::report::html::lanes::tests::lanes;
use crate::report::html::mark::Kind;
use crate::timeline::LabTime;

fn row(what: Shape) -> Row {
    let mark = Mark { at: LabTime(1_500_000_000), event: 0, host: None, kind: Kind::Said, paint: Paint::Plain, what };
    Row { at: mark.at, what: Cell::Mark(mark), before: vec![Stroke::Up; 5], after: vec![Stroke::Up; 5], space: 0 }
}

/// A frame from the first kernel to the second.
fn arrow(fate: Fate, names: &[&str]) -> Row {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    row(Shape::Arrow(Arrow { number: 7, from: 1, to: 3, way: "a → b".to_owned(), names, fate }))
}

fn texts(picture: &Picture) -> Vec<&str> {
    let mut said = Vec::new();
    for ink in &picture.parts {
        if let Ink::Text { text, .. } = ink {
            said.push(text.as_str());
        }
    }
    said
}

/// Where the drawn line begins and ends.
fn line(picture: &Picture) -> ((i32, i32), (i32, i32)) {
    let ends: Vec<_> = picture
        .parts
        .iter()
        .filter_map(|ink| if let Ink::Line { from, to, .. } = ink { Some((*from, *to)) } else { None })
        .collect();
    (ends[0].0, ends[ends.len() - 1].1)
}

#[test]
fn an_arrow_falls_from_its_sender_to_its_receiver() {
    let lanes = lanes(&[1, 1]);
    let sheet = Sheet::wide(&lanes);
    let drawn = picture(&arrow(Fate::Arrives, &["SYN seq 0"]), &lanes, &sheet);
    let (from, to) = line(&drawn);
    assert_eq!((from.0, to.0), (sheet.lane(1), sheet.lane(3) - 2));
    assert!(to.1 > from.1 && to.1 < drawn.height);
    assert!(drawn.parts.contains(&Ink::Tip { at: (sheet.lane(3), 25), rightwards: true, paint: Paint::Plain }));
    assert_eq!(texts(&drawn), ["1.500", "#7", "SYN seq 0"]);
}

#[test]
fn one_that_is_dropped_ends_at_the_wire_and_one_that_is_lost_before_its_lane() {
    let lanes = lanes(&[1, 1]);
    let sheet = Sheet::wide(&lanes);
    let end = |fate| {
        let drawn = picture(&arrow(fate, &["RST"]), &lanes, &sheet);
        assert!(!drawn.parts.iter().any(|ink| matches!(ink, Ink::Tip { .. })));
        let cross = drawn.parts.iter().find_map(|ink| if let Ink::Cross { at } = ink { Some(at.0) } else { None });
        assert_eq!(cross, Some(line(&drawn).1.0));
        cross
    };
    assert_eq!(end(Fate::Cut), Some(sheet.lane(2)));
    assert!(end(Fate::Lost).is_some_and(|x| x > sheet.lane(2) && x < sheet.lane(3)));
}

#[test]
fn the_fullest_name_that_fits_is_on_the_arrow_and_clear_of_it() {
    let lanes = lanes(&[1, 1]);
    let sheet = Sheet::wide(&lanes);
    let (long, full) = ("x".repeat(200), "PSH, ACK 1:14 ack 1 · retransmission 3, 1.6 s later · nobody is there");
    let drawn = picture(&arrow(Fate::Arrives, &[&long, full, "PSH"]), &lanes, &sheet);
    assert_eq!(texts(&drawn)[2], full);
    let foot = drawn.parts.iter().find_map(|ink| match ink {
        Ink::Text { y, anchor: Anchor::Middle, .. } => Some(*y),
        _ => None,
    });
    let (from, to) = line(&drawn);
    let left = (sheet.lane(1) + sheet.lane(3)) / 2 - sheet.measure(columns(full)) / 2;
    let under = from.1 + (to.1 - from.1) * (left - from.0) / (to.0 - from.0);
    assert!(foot.is_some_and(|foot| foot < under), "{foot:?} above {under}");
}

#[test]
fn texts_lean_towards_the_wire_and_long_ones_are_wrapped_and_cut() {
    let lanes = lanes(&[1, 1]);
    let sheet = Sheet::wide(&lanes);
    let note = |lane, text: &str| row(Shape::Note { lane, who: "who".to_owned(), text: text.to_owned() });
    let at = |drawn: &Picture| {
        let text = |ink: &Ink| match ink {
            Ink::Text { x, anchor, style: Letters::Said(_), .. } => Some((*x, *anchor)),
            _ => None,
        };
        drawn.parts.iter().find_map(text)
    };
    assert_eq!(at(&picture(&note(0, "read"), &lanes, &sheet)), Some((sheet.lane(0) + 12, Anchor::Start)));
    assert_eq!(at(&picture(&note(4, "read"), &lanes, &sheet)), Some((sheet.lane(4) - 12, Anchor::End)));
    let long = "word ".repeat(500);
    for sheet in [Sheet::wide(&lanes), Sheet::narrow(&lanes)] {
        let drawn = picture(&note(0, &long), &lanes, &sheet);
        let said: Vec<&str> = texts(&drawn).into_iter().filter(|text| text.contains("word")).collect();
        assert_eq!(said.len(), LINES);
        assert!(said[LINES - 1].ends_with('…'), "{said:?}");
    }
}

#[test]
fn a_fold_interrupts_every_lane_and_says_what_it_skips() {
    let lanes = lanes(&[1, 1]);
    let mut row = row(Shape::Across(String::new()));
    row.what = Cell::Fold(7_200_000_000_000);
    let drawn = picture(&row, &lanes, &Sheet::wide(&lanes));
    assert_eq!(texts(&drawn), ["120 min 0 s pass"]);
    let through = |ink: &&Ink| matches!(ink, Ink::Lane { top, bottom, .. } if *top <= FOLD / 2 && *bottom >= FOLD / 2);
    assert_eq!(drawn.parts.iter().filter(through).count(), 0);
    assert_eq!(drawn.parts.iter().filter(|ink| matches!(ink, Ink::Tear { .. })).count(), 1);
}

#[test]
fn a_band_tells_its_proof_and_lies_behind_the_lanes() {
    let lanes = lanes(&[1, 1]);
    let band = row(Shape::Band { head: "server loses power".to_owned(), proof: "SIGKILL".to_owned() });
    let drawn = picture(&band, &lanes, &Sheet::wide(&lanes));
    assert!(matches!(drawn.parts.first(), Some(Ink::Band { .. })));
    assert_eq!(texts(&drawn), ["1.500", "server loses power", "proof: SIGKILL"]);
}
